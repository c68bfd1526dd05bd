"""`anlan up`: start the whole platform and keep it running."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

HELP = ("启动整个平台", "start the whole platform")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--data``, ``--devices``, ``--json``."""
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder (default ANLAN_DATA)")
    parser.add_argument("--devices", type=int, default=0, help="登记 N 台测试设备 · register N test devices")
    parser.add_argument("--json", action="store_true", help="就绪时输出一行 JSON · print one JSON line when ready")


def run(args: argparse.Namespace) -> int:
    """Start, say so, watch, stop."""
    from ...engines.processes import Stopped
    from ..stack import Stack

    began = time.monotonic()
    stack = Stack(args.data, args.devices, says=lambda text: print(text, file=sys.stderr, flush=True))
    stack.supervisor.catch_signals()
    try:
        info = stack.start()
        if args.json:
            print(json.dumps(info, ensure_ascii=False), flush=True)
        else:
            _tell(info, time.monotonic() - began)
        stack.run()
    except Stopped:
        pass
    finally:
        stack.stop()
    print("已停止 · stopped", file=sys.stderr)
    return 0


def _tell(info: dict[str, Any], seconds: float) -> None:
    rows = [
        ("网页 web", info["http"]),
        ("设备 MQTT", info["mqtt"]),
        ("设备 HTTP", info["push"]),
        ("成帧 TCP", info["frame"]),
        ("数据 data", info["data"]),
    ]
    if "login" in info:
        rows.append(("首次登录 first log-in", f"{info['login']['username']} / {info['login']['password']} (first-login.txt)"))
    print(f"安澜已就绪（{seconds:.1f} 秒）· Anlan is up ({seconds:.1f} s)")
    for name, value in rows:
        print(f"  {name:24} {value}")
    print("按 Ctrl-C 停止 · Ctrl-C stops it", flush=True)
