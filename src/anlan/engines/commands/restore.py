"""`anlan restore FILE`: an archive back into an empty folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

HELP = ("从备份恢复到空目录", "restore an archive into an empty folder")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``FILE --data DIR --json``."""
    parser.add_argument("file", type=Path, help="备份文件 · archive made by `anlan backup`")
    parser.add_argument("--data", type=Path, default=None, help="新的数据目录 · new data folder")
    parser.add_argument("--json", action="store_true")


def run(args: argparse.Namespace) -> int:
    """Restore and say what to do next."""
    from ..backup import restore

    done = restore(args.file, args.data)
    print(json.dumps(done) if args.json else f"已恢复 {done['at']} 的备份，请运行 `anlan up` · restored; now run `anlan up`")
    return 0
