"""`anlan import LEDGER FILE`: take an Excel or CSV file into a ledger."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from . import _attach

HELP = ("导入台账（Excel/CSV）", "import a ledger from Excel or CSV")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The ledger, the file, dry run, system of the coordinates."""
    parser.add_argument("ledger", help="site, station, device, household, person, …")
    parser.add_argument("file", help=".xlsx / .csv")
    parser.add_argument("--dry-run", action="store_true", help="只检查，不写入 · check only, write nothing")
    parser.add_argument("--crs", default="", help="文件没有 source_crs 列时的坐标系 · coordinate system when the file has no such column")
    parser.add_argument("--rejected", default="", help="退回行写到哪里 · where rejected rows go (default: beside the file)")
    parser.add_argument("--json", action="store_true")
    _attach.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Import; exit code 1 when rows were rejected."""
    actor = _attach.attach(args)
    from ..exchange import import_ledger

    file = Path(args.file)
    outcome = import_ledger(args.ledger, _attach.read(args.file), file.name, actor=actor, dry_run=args.dry_run, source_crs=args.crs)
    told = outcome.as_dict()
    if outcome.rejected_file is not None:
        target = Path(args.rejected) if args.rejected else file.with_name(outcome.rejected_name)
        target.write_bytes(outcome.rejected_file)
        told["rejected_file"] = str(target)
    if args.json:
        print(json.dumps(told, ensure_ascii=False, default=str))
        return 1 if outcome.rejected else 0
    for warning in outcome.warnings:
        print(f"! {warning['zh']} · {warning['en']}")
    for reason in outcome.reasons:
        print(f"  第 {reason['row']} 行 row {reason['row']}: {reason['zh']} · {reason['en']}")
    tried = "（试运行，未写入 · dry run, nothing written）" if args.dry_run else ""
    print(
        f"收下 {outcome.accepted}（新 {outcome.created}，改 {outcome.updated}，同 {outcome.unchanged}），退回 {outcome.rejected}{tried} · "
        f"accepted {outcome.accepted}, rejected {outcome.rejected}"
    )
    if outcome.rejected_file is not None:
        print(f"退回的行和原因 · rejected rows with reasons: {told['rejected_file']}")
    return 1 if outcome.rejected else 0
