"""The database schema: bring it up to this version (`migrate`), wait for it, read its state."""

from __future__ import annotations

import time

from ..base.errors import EngineAway

MIGRATION_LOCK = 0x414E4C4D  # "ANLM": one machine migrates at a time
MIGRATION_ACTOR = "system:migrate"


def migrate() -> list[str]:
    """Apply all migrations and attach the audit trail; the names of what was applied.

    Needs `project.setup`. Safe to call from several machines: the others wait. Migrations run as
    actor ``system:migrate``, so that they may write ledgers.
    """
    from django.core.management import call_command
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    from .ledger import attach

    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock(%s)", [MIGRATION_LOCK])
        cursor.execute("select set_config('anlan.actor', %s, false)", [MIGRATION_ACTOR])
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                call_command("migrate", interactive=False, verbosity=0)
            attach()
        finally:
            cursor.execute("select set_config('anlan.actor', '', false), pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def wait_for_database(url: str, timeout_s: float = 60) -> None:
    """Return when the database answers; EngineAway after `timeout_s`."""
    import psycopg

    deadline = time.monotonic() + timeout_s
    while True:
        try:
            psycopg.connect(url, connect_timeout=3).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise EngineAway("PostgreSQL", str(error).strip().splitlines()[0]) from None
            time.sleep(0.2)
