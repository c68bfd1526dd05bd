"""``anlan replay``: a CSV file through a real MQTT connection."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from ...base.errors import FieldError

HELP = ("把 CSV 记录经真实连接重放", "replay a CSV file through a real connection")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options; the secret may come from ``ANLAN_DEVICE_SECRET`` so that it is not on the command line."""
    parser.add_argument("file", type=Path)
    parser.add_argument("--speed", type=float, default=1.0, help="倍速，0 为最快 · times as fast; 0: as fast as answered")
    parser.add_argument("--address", default="127.0.0.1:1883", help="网关 MQTT 地址 · MQTT address of the gateway")
    parser.add_argument("--client-id", required=True)
    parser.add_argument("--username", default="", help="默认同设备号 · default: the client id")
    parser.add_argument("--secret", default=os.environ.get("ANLAN_DEVICE_SECRET", ""))
    parser.add_argument("--time", default="time", help="时间列 · column of the time")
    parser.add_argument("--column", action="append", default=[], metavar="COLUMN=KEY", help="列=键，可多次 · map a column to a key")
    parser.add_argument("--shift", action="store_true", help="平移到当前时间 · move the times to now")


def run(args: argparse.Namespace) -> int:
    """Send the file; says how many messages were answered."""
    import asyncio

    from ..replay import Replay, Target, read_rows

    host, colon, port = args.address.rpartition(":")
    if not colon or not port.isdigit():
        raise FieldError("address", args.address, "应为 主机:端口", "must be host:port", code="collect.bad_address")
    if args.speed < 0:
        raise FieldError("speed", args.speed, "不能为负", "must not be negative", code="collect.bad_speed")
    columns = dict(pair.split("=", 1) if "=" in pair else (pair, pair) for pair in args.column)
    rows = read_rows(args.file, columns or None, args.time)
    target = Target(host, int(port), args.client_id, args.username or args.client_id, args.secret)
    last = [0]

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and done * 100 // max(total, 1) != last[0]:
            last[0] = done * 100 // total
            print(f"\r{last[0]:3d} %  {done}/{total}", end="", file=sys.stderr, flush=True)

    answered = asyncio.run(Replay(target, rows, args.speed, args.shift).run(progress))
    print(f"已确认 {answered} 条 · {answered} messages answered")
    return 0
