"""Conditions of the house: said once in the database and on every screen, until they ended or an administrator has seen to them.

`run` is ``execute`` of any cursor or connection (Django's or psycopg's) in the caller's transaction. A condition that
stands is not said again; events ``engines.condition.raised`` and ``.ended`` (subject: its number) move the screens.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

Execute = Callable[..., Any]

_RAISE = """
with made as (
    insert into engines_condition (code, key, zh, en, since) values (%(code)s, %(key)s, %(zh)s, %(en)s, %(now)s)
    on conflict (code, key) where until is null do nothing returning id
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select 'engines.condition.raised:' || id, 'engines.condition.raised', id::text, '',
    jsonb_build_object('code', %(code)s::text, 'zh', %(zh)s::text, 'en', %(en)s::text), '{}', %(now)s from made
on conflict (key) do nothing"""
_END = """
with done as (
    update engines_condition set until = %(now)s where until is null and code = %(code)s and key = %(key)s returning id
)
insert into engines_outbox (key, type, subject, division_code, payload, cause, created_at)
select 'engines.condition.ended:' || id, 'engines.condition.ended', id::text, '', jsonb_build_object('code', %(code)s::text), '{}', %(now)s
from done on conflict (key) do nothing"""


def say(run: Execute, code: str, zh: str, en: str, now: datetime, key: str = "") -> None:
    """The condition stands from `now` on (nothing changes when it already stood)."""
    run(_RAISE, {"code": code, "key": key, "zh": zh, "en": en, "now": now})


def end(run: Execute, code: str, now: datetime, key: str = "") -> None:
    """The condition is over (nothing happens when it did not stand)."""
    run(_END, {"code": code, "key": key, "now": now})
