"""`anlan worker`: run one stream worker against the database and the log of the environment."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from ...base import settings
from ...base.settings import data_folder
from ...engines.installed import check_url

HELP = ("运行流式研判工作进程", "run a stream worker (readings to findings)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """No arguments: addresses come from ``ANLAN_DATABASE_URL``, ``ANLAN_NATS_URL``, ``ANLAN_DATA``."""


def keep_kernels() -> None:
    """Compiled kernels are kept beside the sources or in the user's cache; where neither can be written, in the data folder."""
    package, home = Path(__file__).parent.parent, Path.home()
    if not (os.access(package, os.W_OK) or os.access(home, os.W_OK)):
        cache = data_folder() / "numba"
        cache.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))


def run(args: argparse.Namespace) -> int:
    """Run until told to stop."""
    keep_kernels()
    check_url(str(settings.get("DATABASE_URL")))
    from ..worker import main

    return main(args.wire.forecasts)
