"""`anlan export-ledger LEDGER FILE`: write a ledger (or its empty template) as Excel or CSV."""

from __future__ import annotations

import argparse
from pathlib import Path

from . import _attach

HELP = ("导出台账或模板", "export a ledger, or its template")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The ledger, the file (its ending decides the kind), template."""
    parser.add_argument("ledger", help="site, station, device, household, person, …")
    parser.add_argument("file", help=".xlsx / .csv")
    parser.add_argument("--template", action="store_true", help="只要空模板 · the empty template only")
    parser.add_argument("--lang", choices=("zh", "en"), default="zh")
    _attach.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file."""
    _attach.attach(args)
    from ..exchange import export_ledger, template

    target = Path(args.file)
    kind = target.suffix.lower().lstrip(".")
    data = template(args.ledger, kind, args.lang) if args.template else export_ledger(args.ledger, kind, lang=args.lang)
    target.write_bytes(data)
    print(f"{target} ({len(data)} B)")
    return 0
