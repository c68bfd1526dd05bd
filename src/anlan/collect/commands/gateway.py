"""``anlan gateway``: one gateway process in the foreground."""

from __future__ import annotations

import argparse
import os

HELP = ("运行设备网关（前台）", "run a device gateway in the foreground")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options; addresses come from the settings ``ANLAN_*``."""
    parser.add_argument("--data", default="", help="数据目录 · data folder")
    parser.add_argument(
        "--ready-file", default=os.environ.get("ANLAN_READY_FILE", ""), help="就绪后写入地址 JSON 的文件 · file for the addresses"
    )


def run(args: argparse.Namespace) -> int:
    """Until SIGTERM or SIGINT."""
    if args.data:
        os.environ["ANLAN_DATA"] = args.data
    from ...base import settings
    from ...engines.installed import check_url
    from ..gateway import main

    check_url(settings.get("DATABASE_URL") or "postgresql:///anlan")
    return main(args.ready_file)
