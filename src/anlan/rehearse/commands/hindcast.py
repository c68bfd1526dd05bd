"""`anlan hindcast slopes PATH`: what would have been said, and when, over a record."""

from __future__ import annotations

import argparse
import json

from ..hindcast import hindcast
from ..slope_records import read

HELP = ("用历史记录复演研判与预报", "replay judgement and forecast over a record")


def arguments(parser: argparse.ArgumentParser) -> None:
    """Kind of record, its path, and how to print."""
    parser.add_argument("kind", choices=["slopes"], help="slopes: displacement records, CSV")
    parser.add_argument("path", help="CSV file: a time column and displacements in _mm, _cm or _m")
    parser.add_argument("--json", action="store_true", help="one JSON object in one line")
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: cores)")


def run(args: argparse.Namespace) -> int:
    """Print episodes and forecasts of every station; times are hours since the file's first time (``time_h``: as given)."""
    records = read(args.path)
    stations = hindcast(records, args.jobs)
    if args.json:
        print(json.dumps({"hindcast": "slopes", "path": args.path, "stations": stations}, ensure_ascii=False))
        return 0
    for station in stations:
        print(f"{station['id']}: {len(station['forecasts'])} 次预报 forecasts")
        for e in station["episodes"]:
            end = "仍在 standing" if e["end"] is None else f"{e['end']:.1f} h"
            print(f"  {e['grade']:7} {e['start']:10.1f} h – {end}")
    return 0
