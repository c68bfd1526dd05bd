"""``anlan capture``: record a device's raw TCP traffic between it and a platform (or in place of it), and replay a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...base.errors import AnlanError, FieldError

HELP = ("录制设备原始流量并可回放", "record a device's raw traffic; replay a file of it")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where to listen, where it goes on, what to write."""
    parser.add_argument("file", type=Path, help="录制文件（追加） · the file, appended to")
    parser.add_argument("--listen", metavar="[HOST:]PORT", default="", help="监听地址 · listen here for devices")
    parser.add_argument("--to", metavar="HOST:PORT", default="", help="转发到的平台 · pass on to this platform; with --replay: send to it")
    parser.add_argument("--protocol", default="", help="无平台时按此协议应答 · without --to: answer by this protocol")
    parser.add_argument("--replay", action="store_true", help="回放 file 中的上行数据 · send the file's upward pieces again")
    parser.add_argument("--speed", type=float, default=1.0, help="倍速，0 为最快 · times as fast; 0: at once")


def address(text: str, name: str, host: str = "") -> tuple[str, int]:
    """``HOST:PORT``, or with a default `host` only ``PORT``; FieldError else."""
    given, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 <= int(port) <= 65535 or not (given or host):
        raise FieldError(name, text, "应为 主机:端口", "must be HOST:PORT", code="collect.bad_address")
    return given.strip("[]") or host, int(port)


def run(args: argparse.Namespace) -> int:
    """Record until interrupted, or replay; says how much."""
    import asyncio

    try:
        return asyncio.run(_replay(args) if args.replay else _record(args))
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        raise AnlanError("collect.capture_failed", f"连接或监听失败（{error}）。", f"cannot connect or listen ({error}).") from None


async def _replay(args: argparse.Namespace) -> int:
    from ..capture import replay

    if args.speed < 0:
        raise FieldError("speed", args.speed, "不能为负", "must not be negative", code="collect.bad_speed")
    sent, answered = await replay(args.file, address(args.to, "to"), args.speed, sys.stdout)
    print(f"已发送 {sent} 段，收到应答 {answered} 字节 · {sent} pieces sent, {answered} bytes answered", file=sys.stderr)
    return 0


async def _record(args: argparse.Namespace) -> int:
    import asyncio
    import signal

    from ..capture import Recorder
    from ..codec import codec

    host, port = address(args.listen, "listen", "0.0.0.0")
    target = address(args.to, "to") if args.to else None
    of = codec(args.protocol) if args.protocol else None
    with args.file.open("a", encoding="utf-8") as file:
        recorder = Recorder(file, target, of)
        server = await recorder.serve(host, port)
        port = server.sockets[0].getsockname()[1]
        print(f"正在 {host}:{port} 录制，Ctrl-C 结束 · recording at {host}:{port}, end with Ctrl-C", file=sys.stderr, flush=True)
        over = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, over.set)
        await over.wait()
        server.close()
    print(
        f"{recorder.connections} 个连接，{recorder.bytes} 字节 · {recorder.connections} connections, {recorder.bytes} bytes",
        file=sys.stderr,
    )
    return 0
