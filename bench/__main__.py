"""Run one measurement: ``anlan bench NAME [--json]`` or ``python -m bench NAME``; without a name, list them.

A module ``bench/<name>.py`` has a docstring (first line: what it measures), optionally ``arguments(parser)``, and
``run(args) -> {KEY: [values…]}`` or ``{KEY: {"median", "min", "max", "unit"}}``. The last line printed is
``{"bench": NAME, "figures": {KEY: {"median", "min", "max", "unit"}}, "machine": {…}}``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import pkgutil
import platform
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
for folder in (str(ROOT.parent), str(ROOT.parent / "src")):
    if folder not in sys.path:
        sys.path.insert(0, folder)


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules([str(ROOT)]) if not m.name.startswith("_"))


def machine() -> dict:
    """Cores, memory, kernel, Python, load when the measurement ended."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        cpu = next((line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0.0
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "memory_gb": round(memory, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else [],
    }


def figure(values: object, unit: str) -> dict:
    """Median, least and most of repeated measurements."""
    if isinstance(values, dict):
        return values
    row = [float(v) for v in values] if isinstance(values, (list, tuple)) else [float(values)]
    return {"median": statistics.median(row), "min": min(row), "max": max(row), "unit": unit}


def unit_of(key: str) -> str:
    """The unit from a key's ending: ``_ms`` ``_mb`` ``_s`` ``_per_s``; else ``1``."""
    ends = {
        "_per_s": "1/s",
        "_ms": "ms",
        "_ms_p50": "ms",
        "_ms_p95": "ms",
        "_ms_p99": "ms",
        "_mb": "MB",
        "_s_max": "s",
        "_s": "s",
        "_cores": "cores",
    }
    return next((u for e, u in ends.items() if key.endswith(e)), "1")


def main(argv: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0].startswith("-"):
        for name in names():
            first = (importlib.import_module(f"bench.{name}").__doc__ or "").strip().splitlines()
            print(f"  {name:10} {first[0] if first else ''}")
        return 0
    name = arguments[0]
    if name not in names():
        print(f"没有测量 {name}；可用：{' '.join(names())} · no such bench", file=sys.stderr)
        return 2
    module = importlib.import_module(f"bench.{name}")
    parser = argparse.ArgumentParser(prog=f"anlan bench {name}", description=module.__doc__)
    parser.add_argument("--json", action="store_true", help="print the result as one JSON line at the end (always done)")
    if hasattr(module, "arguments"):
        module.arguments(parser)
    figures = {key: figure(values, unit_of(key)) for key, values in module.run(parser.parse_args(arguments[1:])).items()}
    for key, row in figures.items():
        print(f"{key:44} {row['median']:>14,.3f} {row['unit']:6} ({row['min']:,.3f} - {row['max']:,.3f})")
    print(json.dumps({"bench": name, "figures": figures, "machine": machine()}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
