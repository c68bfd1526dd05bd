"""Every workflow and every plan found keeps its contract; the docs page is what the tables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from anlan.base.errors import FieldError

ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("migrated")


def test_every_workflow_keeps_the_contract():
    from anlan.supervise.actions import RIGHT_NAMES, workflows
    from anlan.supervise.contract import flaws
    from anlan.supervise.rules import shipped

    assert {"hazard", "case"} <= set(workflows())
    for name, workflow in workflows().items():
        assert workflow.name == name and workflow.zh and workflow.en
        assert flaws(workflow, shipped(), set(RIGHT_NAMES)) == []


def test_a_broken_workflow_is_found():
    from anlan.supervise.contract import Transition, Workflow, flaws

    class Broken(Workflow):
        name, zh, en = "broken", "坏", "broken"
        states = {"a": ("甲", "a"), "b": ("乙", "b"), "c": ("丙", "c")}
        table = (
            Transition("a", "go", "b", "fly", "走", "go", (), "no.rule"),
            Transition("a", "go", "x", "own", "走", "go"),
            Transition("b", "loop", "b", "own", "转", "loop"),
        )

        def effects(self, transition, facts):
            return {}

    found = " ".join(flaws(Broken(), {}, {"supervise"}))
    for word in ("stands twice", "unknown state x", "unknown right fly", "no rule no.rule", "c is never reached"):
        assert word in found


def test_rules_have_sources_and_versions():
    from anlan.supervise.contract import UNITS
    from anlan.supervise.rules import shipped

    for rule in shipped().values():
        assert rule.source and rule.version and rule.value > 0 and (rule.unit in UNITS or rule.unit == "grade")


def test_docs_page_is_generated_from_the_tables():
    import importlib.util

    spec = importlib.util.spec_from_file_location("make_workflow_docs", ROOT / "tools/make_workflow_docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs/workflows.md").read_text("utf-8") == module.text(), "run tools/make_workflow_docs.py"


def test_every_plan_keeps_the_contract():
    from anlan.respond.contract import GENERAL, plan_for, plans

    assert {"slope", "flood", GENERAL} <= set(plans())
    assert plan_for("volcano") is plans()[GENERAL]
    for plan in plans().values():
        assert plan.source and plan.version
        assert any(item.grade == 4 for item in plan.items), "a red warning must send somebody"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ('grade = "purple"', "grade"),
        ('level = "moon"', "level"),
        ("minutes = 0", "minutes"),
        ('hazard = "other"', "hazard"),
    ],
)
def test_bad_plans_are_named(change, field):
    from anlan.respond.contract import parse_plan

    good = {"hazard": 'hazard = "x"', "grade": 'grade = "red"', "level": 'level = "site"', "minutes": "minutes = 5"}
    good[change.split(" ")[0]] = change
    text = (
        f'{good["hazard"]}\nversion = "1"\nzh = "一"\nen = "a"\nsource = "s"\nescalate_minutes = 5\nsummary_minutes = [5]\n'
        f'[[task]]\nkey = "k"\n{good["grade"]}\n{good["level"]}\n{good["minutes"]}\nzh = "做"\nen = "do"\n'
    )
    with pytest.raises(FieldError) as caught:
        parse_plan("x", text)
    assert field in str(caught.value.facts["field"]) and caught.value.code == "respond.bad_plan"
    with pytest.raises(FieldError):
        parse_plan("x", "not [ toml")
