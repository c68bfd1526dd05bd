"""`anlan doctor`: check this machine and this installation, say what to do."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = ("检查本机与安装", "check this machine and this installation")
NAMES = {
    "versions": "版本",
    "machine": "机器",
    "user": "用户",
    "open files": "打开文件",
    "database": "数据库",
    "clock": "时钟",
    "data folder": "数据目录",
    "disk": "磁盘",
    "fsync": "落盘速度",
    "ports": "端口",
    "processes": "进程",
    "restarts": "重启记录",
    "installation": "安装状态",
}
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
            name = f"{NAMES.get(check['name'], '')} {check['name']}"
            print(f"{SIGNS[check['state']]} {name:18} {check['seen']}")
            if check["zh"]:
                print(f"{'':15}→ {check['zh']} · {check['en']}")
    return 1 if found["state"] == "fail" else 0
