"""Write docs/commands.md from the commands found by scan. ``--check`` only says whether it is current."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))
TARGET = ROOT / "docs" / "commands.md"
HEAD = """# Commands 命令

`anlan <command>`; in a checkout `./run <command>`. Found by scan in the rooms' `commands/` folders: one module each with `HELP`,
`arguments(parser)` and `run(args)`. Exit codes: 0 done, 1 failed (one sentence says why and what to do), 2 wrong use. This page
is made by `tools/make_commands_doc.py`; a test keeps it current.

"""


def one(name: str, path: str) -> str:
    """A command's part of the page."""
    module = importlib.import_module(path)
    parser = argparse.ArgumentParser(prog=f"anlan {name}", add_help=False)
    module.arguments(parser)
    zh, en = module.HELP
    lines = [f"## {name}\n\n{zh} · {en}\n"]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            shown = "`" + "`, `".join(action.choices) + "`"
        else:
            shown = "`" + ", ".join(action.option_strings or [action.metavar or action.dest.upper()]) + "`"
        words = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
        lines.append(f"- {shown} {words}".rstrip())
    return "\n".join(lines) + "\n"


def text() -> str:
    """The page as it should be."""
    from anlan.cli import commands

    return HEAD + "\n".join(one(name, path) for name, path in sorted(commands().items()))


def main() -> int:
    """Write, or check."""
    if "--check" in sys.argv:
        return 0 if TARGET.exists() and TARGET.read_text(encoding="utf-8") == text() else 1
    TARGET.write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
