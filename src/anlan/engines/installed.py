"""What is fixed at install: the numbers of lanes and partitions. Another number would send stations to lanes whose state lies elsewhere.

`fix` keeps the numbers in the database at the first start; `check` refuses a process that was given others.
"""

from __future__ import annotations

from typing import Any

from ..base import settings as conf
from ..base.errors import AnlanError

FIXED = ("LANES", "PARTITIONS")


def differs(name: str, kept: str, given: str) -> AnlanError:
    """The error of a process whose setting is not the installation's."""
    return AnlanError(
        "engines.fixed_setting",
        f"ANLAN_{name}={given}，但本安装建立时为 {kept}，安装后不能更改。请改回 ANLAN_{name}={kept}（或去掉此项设置后用 {kept}）。",
        f"ANLAN_{name}={given}, but this installation was made with {kept}, and it cannot be changed afterwards. "
        f"Set ANLAN_{name}={kept} again.",
        kept=kept,
        given=given,
    )


def check(connection: Any) -> None:
    """AnlanError when a setting is not the one this database was made with (`connection`: psycopg, or a Django cursor)."""
    cursor = connection.execute("select to_regclass('engines_housefact') is not null")
    if not (cursor or connection).fetchone()[0]:
        return  # not yet migrated
    rows = connection.execute("select name, value from engines_housefact")
    kept = dict((rows or connection).fetchall())
    for name in FIXED:
        given = str(conf.get(name))
        if kept.get(name, given) != given:
            raise differs(name, kept[name], given)


def check_url(url: str) -> None:
    """`check` on a connection of its own; a database that is away is not judged."""
    import contextlib

    import psycopg

    with contextlib.suppress(psycopg.Error), psycopg.connect(url, connect_timeout=3) as connection:
        check(connection)


def fix() -> None:
    """Keep the numbers in a new installation (Django; after `migrate`); AnlanError when it has others."""
    from django.db import connection

    from .models import HouseFact

    with connection.cursor() as cursor:
        check(cursor)
    HouseFact.objects.bulk_create([HouseFact(name=name, value=str(conf.get(name))) for name in FIXED], ignore_conflicts=True)
