"""`anlan divisions PREFIX…`: load the shipped division codes of the demo districts."""

from __future__ import annotations

import argparse

from . import _attach

HELP = ("载入随附的区划代码", "load the shipped division codes")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Prefixes such as 440303 or 3305."""
    parser.add_argument("prefix", nargs="+", help="440303 3305 …")
    _attach.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Load and count."""
    actor = _attach.attach(args)
    from ..service import load_divisions

    print(load_divisions(args.prefix, actor=actor))
    return 0
