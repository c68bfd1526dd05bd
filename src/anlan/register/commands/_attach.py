"""What all of the register's commands share: which database, who acts, whom to tell when a file cannot be read."""

from __future__ import annotations

import argparse
import getpass
import os
from pathlib import Path

from ...base import settings as conf
from ...base.errors import EngineAway
from ..sheets import bad_file


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--data`` and ``--database``."""
    parser.add_argument("--data", default="", help="数据目录（anlan up 正在运行） · data folder of a running `anlan up`")
    parser.add_argument("--database", default="", help="postgresql://…（默认 ANLAN_DATABASE_URL）")


def attach(args: argparse.Namespace) -> str:
    """Connect Django to the given, set or embedded database; returns the actor for the audit trail. EngineAway when it does not answer."""
    from ...engines.project import setup

    if args.data:
        os.environ["ANLAN_DATA"] = str(Path(args.data).expanduser().resolve())
    url = args.database or conf.get("DATABASE_URL")
    if not url:
        from ...engines.folders import Folders
        from ...engines.postgres import EmbeddedPostgres

        url = EmbeddedPostgres(Folders(conf.data_folder())).url()
    setup(url)
    from django.db import OperationalError, connection

    try:
        connection.ensure_connection()
    except OperationalError as error:
        raise EngineAway("PostgreSQL", f"{str(error).strip().splitlines()[0]} (anlan up --data …)") from None
    return f"system:cli:{getpass.getuser()}"


def read(name: str) -> bytes:
    """The bytes of a file; ``register.bad_file`` when it cannot be opened."""
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise bad_file(name, f"无法打开：{error.strerror}", f"cannot be opened: {error.strerror}") from None
