"""`anlan desk`: event handlers, timers, ticks."""

from __future__ import annotations

import argparse

HELP = ("值守后台：事件、定时与节拍", "the desk process: events, timers, ticks")


def arguments(parser: argparse.ArgumentParser) -> None:
    """No options; settings come from the environment."""


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop."""
    from ...base import settings as conf
    from ...engines.installed import check_url
    from ...engines.project import setup
    from .. import load_services

    check_url(str(conf.get("DATABASE_URL")))
    setup()
    load_services()
    from ..desk import serve

    serve()
    return 0
