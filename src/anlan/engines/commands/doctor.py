"""`anlan doctor`: check this machine and this installation, say what to do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = ("检查本机与安装", "check this machine and this installation")
SIGNS = {"ok": "✓", "warn": "!", "fail": "✗"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--data DIR --json``."""
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Print the checks; 1 when one failed."""
    from ..doctor import report

    found = report(args.data)
    if args.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        for check in found["checks"]:
            print(f"{SIGNS[check['state']]} {check['name']:12} {check['seen']}")
            if check["zh"]:
                print(f"{'':15}→ {check['zh']} · {check['en']}")
    return 1 if found["state"] == "fail" else 0
