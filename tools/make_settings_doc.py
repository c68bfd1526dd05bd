"""Write docs/settings.md from the table of settings. ``--check`` only says whether it is current."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
TARGET = ROOT / "docs" / "settings.md"
HEAD = """# Settings 设置

Environment variables, read when a process starts. An empty value means the default. This page is made by
`tools/make_settings_doc.py` from `base.settings.SETTINGS`; a test keeps them equal.

| variable | type | default | 说明 | meaning |
|---|---|---|---|---|
"""
TAIL = """
Also read: `ANLAN_VENV` and `ANLAN_PYTHON` (by `./run`: use this environment, this Python), `ANLAN_POSTGRES_BIN` and `ANLAN_NATS_BIN`
(folder of other PostgreSQL programs, path of another nats-server), `ANLAN_CHROMIUM` (browser of the tests), `ANLAN_SHARED` (recorded
data for tests and demo), `NUMBA_CACHE_DIR` (compiled kernels).
"""


def text() -> str:
    """The page as it should be."""
    from anlan.base.settings import SETTINGS

    def cell(value: object) -> str:
        return str(value).replace("|", "\\|")

    rows = (f"| `ANLAN_{s.name}` | {s.type.__name__} | {cell(s.default) or '—'} | {cell(s.zh)} | {cell(s.en)} |" for s in SETTINGS.values())
    return HEAD + "\n".join(rows) + "\n" + TAIL


def main() -> int:
    """Write, or check."""
    if "--check" in sys.argv:
        return 0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text() else 1
    TARGET.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
