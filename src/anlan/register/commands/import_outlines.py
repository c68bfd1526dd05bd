"""`anlan import-outlines FILE --crs …`: take the bureau's own outlines of divisions from GeoJSON."""

from __future__ import annotations

import argparse
from pathlib import Path

from ...base.geo import SOURCE_CRS
from . import _attach

HELP = ("导入区划边界（GeoJSON）", "import outlines of divisions from GeoJSON")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The file and its coordinate system, which has no default."""
    parser.add_argument("file")
    parser.add_argument("--crs", required=True, choices=SOURCE_CRS, help="坐标系，必填 · coordinate system, required")
    _attach.arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Import; exit code 1 when features were rejected."""
    actor = _attach.attach(args)
    from ..outlines import import_outlines

    outcome = import_outlines(_attach.read(args.file), Path(args.file).name, args.crs, actor=actor)
    for reason in outcome["reasons"]:
        print(f"  第 {reason['feature']} 个 feature {reason['feature']}: {reason['zh']} · {reason['en']}")
    print(f"收下 {outcome['accepted']}，退回 {outcome['rejected']} · accepted {outcome['accepted']}, rejected {outcome['rejected']}")
    return 1 if outcome["rejected"] else 0
