"""`anlan demo`: the whole platform, the demo district, one storm night told over real sockets."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HELP = ("启动平台并讲述一个暴雨夜", "start the platform and tell a storm night")
NIGHT_H, WALL_MIN = 8.0, 4.0  # hours told, real minutes they take by default


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--data``, ``--headless``, ``--json``, ``--full``, ``--live``, ``--seed``, ``--minutes``."""
    parser.add_argument("--data", type=Path, default=None, help="数据目录 · data folder")
    parser.add_argument("--headless", action="store_true", help="讲完即停，不等人 · play to the end without waiting for people, then stop")
    parser.add_argument("--json", action="store_true", help="最后一行输出 JSON · one JSON object as the last line")
    parser.add_argument("--full", action="store_true", help="登记 85,000 个传感器 · register all 85,000 sensors")
    parser.add_argument("--live", type=int, default=300, help="真实连接的传感器数 · sensors on real connections")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=WALL_MIN, help="讲述用时（分钟）· real minutes that the night takes")


def run(args: argparse.Namespace) -> int:
    """Start the stack with the story's clock, tell the story in a child process, keep all going."""
    from ...engines.processes import Stopped
    from ...twin.tell import demo_folder
    from ..stack import Stack

    fresh = args.headless and args.data is None
    data = Path(tempfile.mkdtemp(prefix="anlan-demo-")) if fresh else demo_folder(args.data)
    told = (data / "demo.told").exists()
    environment = {"ANLAN_LANES": os.environ.get("ANLAN_LANES", "2")}
    if not told:
        _compile(args.json)
        real = time.time_ns() // 1_000_000 + 30_000  # engines, schema and district need so long at the first start
        speed = NIGHT_H * 60 / args.minutes
        environment["ANLAN_STORY"] = f"{real}:{int(real - NIGHT_H * 3.6e6 * (1 - 1 / speed))}:{speed:g}"
    says = (lambda text: None) if args.json else (lambda text: print(text, flush=True))
    stack = Stack(data, environment=environment, says=says)
    stack.supervisor.catch_signals()
    code = 0
    try:
        stack.start()
        teller = _teller(args, told, stack.environment)
        threading.Thread(target=_wait, args=(teller, args.headless), daemon=True).start()
        stack.run()
    except Stopped:
        pass
    finally:
        if "teller" in locals():
            code = _end(teller, args.headless)
            if code == 0:
                (data / "demo.told").touch()
        stack.stop()
        if fresh and code == 0:
            subprocess.run(["rm", "-rf", str(data)], check=False)
    return code


def _compile(quiet: bool) -> None:
    """Compile the judges' kernels before the story's clock starts: the first time takes a minute."""
    if not quiet:
        print("编译研判内核（首次约一分钟）· compiling the judges' kernels (a minute, the first time)", flush=True)
    code = "from anlan.detect.commands.worker import keep_kernels; keep_kernels(); from anlan.detect.warm import warm; warm()"
    subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, check=False)


def _teller(args: argparse.Namespace, told: bool, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anlan", "tell", "--seed", str(args.seed), "--live", str(args.live)]
    command += ["--full"] * args.full + ["--headless"] * args.headless + ["--json"] * args.json + ["--told"] * told
    return subprocess.Popen(command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, start_new_session=True)


def _wait(teller: subprocess.Popen[bytes], headless: bool) -> None:
    """When the teller is through (or broke off), a headless demo ends."""
    teller.wait()
    if headless or teller.returncode:
        os.kill(os.getpid(), signal.SIGTERM)


def _end(teller: subprocess.Popen[bytes], headless: bool) -> int:
    """Stop the teller if it still runs; the exit code of the demo."""
    if teller.poll() is None:
        teller.terminate()
        try:
            teller.wait(5)
        except subprocess.TimeoutExpired:
            teller.kill()
            teller.wait()
        return 1 if headless else 0
    return teller.returncode or 0
