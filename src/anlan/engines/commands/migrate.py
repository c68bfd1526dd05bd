"""`anlan migrate`: bring the database up to this version."""

from __future__ import annotations

import argparse

HELP = ("升级数据库结构", "bring the database schema up to this version")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--database URL`` (default ``ANLAN_DATABASE_URL``)."""
    parser.add_argument("--database", default="", help="postgresql://…")


def run(args: argparse.Namespace) -> int:
    """Migrate and say what was applied."""
    from ..database import migrate
    from ..project import setup

    setup(args.database or None)
    applied = migrate()
    print("\n".join(applied) if applied else "数据库已是最新 · the database is up to date")
    return 0
