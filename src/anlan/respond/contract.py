"""The role of a plan: a TOML file in ``plans/`` named after its hazard, and the checks that each must pass.

Keys: ``hazard, version, zh, en, source`` (the clause or document behind the minutes),
``escalate_minutes`` (time of whoever takes over a late task), ``summary_minutes`` (when the state
of delivery is written into the timeline), and ``[[task]]`` rows with ``key`` (unique), ``grade``
(from this grade on), ``level`` (who: site, community, street, district), ``minutes`` from the
warning, ``zh``, ``en``. A new hazard's plan is one new file; see docs/how-to/new-plan.md.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from ..base.errors import FieldError
from ..base.grade import Grade

LEVELS = ("site", "community", "street", "district")
GENERAL = "general"


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One duty of a plan: done within `minutes` of the warning by the post of `level`."""

    key: str
    grade: Grade
    level: str
    minutes: float
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A response plan as data."""

    hazard: str
    version: str
    zh: str
    en: str
    source: str
    escalate_minutes: float
    summary_minutes: tuple[float, ...]
    items: tuple[PlanItem, ...]


def parse_plan(name: str, text: str) -> Plan:
    """A plan from TOML; FieldError names the file's key that cannot be taken."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FieldError(f"plans/{name}", str(error), "不是有效的 TOML 文件", "is not a valid TOML file", code="respond.bad_plan") from None
    try:
        items = tuple(_item(name, row) for row in raw["task"])
        plan = Plan(
            str(raw["hazard"]),
            str(raw["version"]),
            str(raw["zh"]),
            str(raw["en"]),
            str(raw["source"]),
            _minutes(name, raw, "escalate_minutes"),
            tuple(float(m) for m in raw["summary_minutes"]),
            items,
        )
    except KeyError as error:
        raise FieldError(f"plans/{name}", error.args[0], "缺少此项", "this key is missing", code="respond.bad_plan") from None
    keys = [item.key for item in items]
    if len(set(keys)) < len(keys) or not items:
        raise FieldError(
            f"plans/{name}.task", keys, "任务键不能为空或重复", "task keys must be present and unique", code="respond.bad_plan"
        )
    if plan.hazard != name:
        raise FieldError(f"plans/{name}.hazard", plan.hazard, "应与文件名相同", "must be the file's name", code="respond.bad_plan")
    return plan


def _item(name: str, row: dict[str, Any]) -> PlanItem:
    where = f"plans/{name}.task.{row['key']}"
    try:
        grade = Grade.of(row["grade"])
    except KeyError:
        raise FieldError(
            f"{where}.grade", row["grade"], "应为 blue/yellow/orange/red", "must be a grade", code="respond.bad_plan"
        ) from None
    if row["level"] not in LEVELS:
        raise FieldError(
            f"{where}.level", row["level"], f"应为 {'、'.join(LEVELS)}", f"must be one of {', '.join(LEVELS)}", code="respond.bad_plan"
        )
    return PlanItem(str(row["key"]), grade, row["level"], _minutes(where, row, "minutes"), str(row["zh"]), str(row["en"]))


def _minutes(where: str, row: dict[str, Any], key: str) -> float:
    value = float(row[key])
    if not 0 < value <= 7 * 24 * 60:
        raise FieldError(f"{where}.{key}", row[key], "应为 0 至 10080 分钟", "must be within 0 and 10080 minutes", code="respond.bad_plan")
    return value


@cache
def plans() -> dict[str, Plan]:
    """All plans found in ``plans/``, by hazard."""
    folder = resources.files("anlan.respond").joinpath("plans")
    found = {}
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            name = file.name.removesuffix(".toml")
            found[name] = parse_plan(name, file.read_text("utf-8"))
    return found


def plan_for(hazard: str) -> Plan:
    """The plan of a hazard, or the general one."""
    return plans().get(hazard) or plans()[GENERAL]
