"""The `anlan` command: sub-commands are found by scan in the rooms' ``commands`` folders.

A command is a module with ``NAME`` (optional, default the module's name), ``HELP`` (zh, en),
``arguments(parser)`` and ``run(args) -> int | None``. It is imported only when called, or for ``--help``.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import pkgutil
import sys

import anlan

from . import wire
from .base.errors import AnlanError

SERVE = ("up", "gateway", "worker", "desk", "web")  # what runs for months, and several at once


def commands() -> dict[str, str]:
    """Command name to module path, from every room's ``commands`` package, without importing them."""
    found: dict[str, str] = {}
    for room in pkgutil.iter_modules(anlan.__path__):
        if not room.ispkg or importlib.util.find_spec(f"anlan.{room.name}.commands") is None:
            continue
        package = importlib.import_module(f"anlan.{room.name}.commands")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                found[module.name.rstrip("_").replace("_", "-")] = f"{package.__name__}.{module.name}"
    return found


def main(argv: list[str] | None = None) -> int:
    """Run one command; errors are one sentence each, exit codes 0 done, 1 failed, 2 wrong use."""
    arguments = sys.argv[1:] if argv is None else argv
    found = commands()
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(f"安澜 Anlan {anlan.__version__}\n")
        for name in sorted(found):
            zh, en = importlib.import_module(found[name]).HELP
            print(f"  anlan {name:12} {zh} · {en}")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(anlan.__version__)
        return 0
    if arguments[0] not in found:
        print(f"没有命令 {arguments[0]!r}；可用：{' '.join(sorted(found))} · unknown command; see `anlan --help`", file=sys.stderr)
        return 2
    if arguments[0] in SERVE:
        sys.modules.setdefault("rich", None)  # type: ignore[arg-type]  # structlog would load it for colours: 5 MB in each process
    module = importlib.import_module(found[arguments[0]])
    parser = argparse.ArgumentParser(prog=f"anlan {arguments[0]}", description=" · ".join(module.HELP))
    module.arguments(parser)
    try:
        parsed = parser.parse_args(arguments[1:])
        parsed.wire = wire  # the rooms joined, handed down: a command's own room may not import upwards
        return int(module.run(parsed) or 0)
    except AnlanError as error:
        print(f"{error.zh}\n{error.en} [{error.code}]", file=sys.stderr)
        return 1
