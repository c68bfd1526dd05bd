"""The database schema: bring it up to this version (`migrate`), wait for it, read its state."""

from __future__ import annotations

import time

from ..base.errors import AnlanError, EngineAway

MIGRATION_LOCK = 0x414E4C4D  # "ANLM": one machine migrates at a time
MIGRATION_ACTOR = "system:migrate"


def migrate() -> list[str]:
    """Apply all migrations and attach the audit trail; the names of what was applied.

    Needs `project.setup`. Safe to call from several machines: the others wait. Migrations run as
    actor ``system:migrate``, so that they may write ledgers. Raises AnlanError ``engines.schema_differs`` when the
    tables are not what this version needs all the same (made by an unreleased or a later version).
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
            check_schema()
            attach()
        finally:
            cursor.execute("select set_config('anlan.actor', '', false), pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def missing_columns() -> list[str]:
    """``table.column`` of every column that the models have and the database has not."""
    from django.apps import apps
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("select table_name, column_name from information_schema.columns where table_schema = current_schema()")
        there = set(cursor.fetchall())
    wanted = {(m._meta.db_table, f.column) for m in apps.get_models() if m._meta.managed for f in m._meta.local_concrete_fields}
    return sorted(f"{table}.{column}" for table, column in wanted - there)


def check_schema() -> None:
    """AnlanError ``engines.schema_differs`` when columns are missing after all migrations: serving would fail page by page."""
    missing = missing_columns()
    if missing:
        some = ", ".join(missing[:5]) + (" …" if len(missing) > 5 else "")
        raise AnlanError(
            "engines.schema_differs",
            f"数据库由未发布的开发版本或其他版本建立，缺少 {len(missing)} 列（{some}）。"
            f"请用建立它的版本启动并导出数据，或用 --data 指定新的数据目录。",
            f"the database was made by an unreleased or another version: {len(missing)} columns are missing ({some}). "
            f"Start it with the version that made it and export, or give a new folder with --data.",
            missing=missing,
        )


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
