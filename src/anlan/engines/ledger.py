"""The audit trail, attached to tables by what each model says of itself.

``AUDIT = "ledger"`` (default of every `Record`): every insert, update and delete is written to
`AuditEntry` by a trigger, and refused without an actor (`outbox.acting`). ``"append"``: rows
are added freely (workers write them by SQL) and never changed or deleted. ``"none"``: traffic
that carries its own history (dead letters, notices, commands). Other models say nothing and get none.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db import connection

_EVENTS = {
    "insert": "referencing new table as changed",
    "update": "referencing old table as former new table as changed",
    "delete": "referencing old table as former",
}


def rule_of(model: Any) -> str:
    """``ledger``, ``append`` or ``none`` for a model class."""
    return str(getattr(model, "AUDIT", "none"))


def _wanted() -> dict[str, tuple[str, str]]:
    """Table to (rule, key column), for every model of the house that has a rule."""
    found = {}
    for model in apps.get_models():
        if model.__module__.startswith("anlan.") and rule_of(model) != "none":
            found[model._meta.db_table] = (rule_of(model), model._meta.pk.column)
    return found


def _statements(table: str, rule: str, key: str) -> dict[str, str]:
    """Trigger name to the statement that makes it."""
    if rule == "append":
        return {
            "anlan_append_only": f'create or replace trigger anlan_append_only after update or delete on "{table}" '
            "for each row execute function anlan_append_only()"
        }
    return {
        f"anlan_audit_{event}": f'create or replace trigger anlan_audit_{event} after {event} on "{table}" {tables} '
        f"for each statement execute function anlan_audit('{key}')"
        for event, tables in _EVENTS.items()
    }


def attach() -> int:
    """Bring the triggers of all tables in line with their models' rules (idempotent); the number of changes."""
    changes = 0
    wanted = _wanted()
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname, t.tgname from pg_trigger t join pg_class c on c.oid = t.tgrelid "
            "join pg_namespace n on n.oid = c.relnamespace "
            "where n.nspname = current_schema() and (t.tgname like 'anlan\\_audit\\_%%' or t.tgname = 'anlan_append_only')"
        )
        have: dict[str, set[str]] = {}
        for table, name in cursor.fetchall():
            have.setdefault(table, set()).add(name)
        for table in set(have) | set(wanted):
            rule, key = wanted.get(table, ("none", ""))
            statements = {} if rule == "none" else _statements(table, rule, key)
            for name in have.get(table, set()) - set(statements):
                cursor.execute(f'drop trigger "{name}" on "{table}"')
                changes += 1
            for name in set(statements) - have.get(table, set()):
                cursor.execute(statements[name])
                changes += 1
    return changes
