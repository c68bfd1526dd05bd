"""`anlan bench NAME`: run a measurement of the checkout's ``bench`` folder."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import anlan

from ...base.errors import AnlanError

HELP = ("性能测量（仅源码目录）", "run a measurement (in a checkout)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Everything after the name goes to the measurement."""
    parser.add_argument("rest", nargs=argparse.REMAINDER, metavar="NAME [--json] …")


def run(args: argparse.Namespace) -> int:
    """Start ``python -m bench`` beside the sources; AnlanError outside of a checkout."""
    root = Path(anlan.__file__).resolve().parents[2]
    if not (root / "bench" / "__main__.py").exists():
        raise AnlanError(
            "rehearse.no_checkout",
            "性能测量只在源码目录中可用：请在克隆的项目里用 ./run bench",
            "measurements need a checkout: clone the project and use ./run bench",
        )
    path = os.pathsep.join([str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")])
    return subprocess.run([sys.executable, "-m", "bench", *args.rest], cwd=root, env=os.environ | {"PYTHONPATH": path}).returncode
