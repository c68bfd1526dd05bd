"""`anlan worker`: run one stream worker against the database and the log of the environment."""

from __future__ import annotations

import argparse
import os

from ...base.settings import data_folder

HELP = ("运行流式研判工作进程", "run a stream worker (readings to findings)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments: addresses come from ``ANLAN_DATABASE_URL``, ``ANLAN_NATS_URL``, ``ANLAN_DATA``."""


def run(args: argparse.Namespace) -> int:
    """Run until told to stop. Compiled kernels are kept in the data folder, so that a second start is fast."""
    cache = data_folder() / "numba"
    cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))
    from ..worker import main

    return main(args.wire.forecasts)
