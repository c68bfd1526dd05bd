"""`anlan prepare`: schema, first administrator, token, test devices (run by `up`)."""

from __future__ import annotations

import argparse
import json

HELP = ("准备数据库（up 自动执行）", "make the database ready (run by up)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--devices N``."""
    parser.add_argument("--devices", type=int, default=0, help="register N test devices")


def run(args: argparse.Namespace) -> int:
    """Prepare and print the facts as one JSON line."""
    from ...engines.project import setup

    setup()
    from ..prepare import prepare

    print(json.dumps(prepare(args.devices), ensure_ascii=False))
    return 0
