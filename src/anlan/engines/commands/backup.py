"""`anlan backup FILE`: one consistent archive, while the installation runs."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = ("备份（可在运行中进行）", "back up to one archive, also while it runs")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``FILE --data DIR --json``."""
    parser.add_argument("file", type=Path, help="目标文件 · archive to write (.tar)")
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Back up and say what is in the archive."""
    from ..backup import backup

    done = backup(args.file, args.data)
    if args.json:
        print(json.dumps(done))
    else:
        print(f"已备份到 {done['file']}（{done['bytes'] / 1e6:.1f} MB）· backed up; keep it safe, it holds personal data and secrets")
    return 0
