"""What supervise keeps."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.signals import post_migrate

from ..engines.records import Ledger, Record, label

L = label


class Rule(Record):
    """A number of law or local rule with its unit, source clause, region (division prefix; empty: everywhere) and validity.

    It goes before the shipped row of the same code (``rules.csv``); what began under a version keeps it.
    """

    KIND = "rule"
    NATURAL = ("code", "division_code", "version")
    code = models.TextField(db_index=True, verbose_name=L("规则", "Rule"))
    value = models.FloatField(verbose_name=L("数值", "Value"))
    unit = models.CharField(
        max_length=8,
        choices=[("h", L("小时", "hours")), ("d", L("天", "days")), ("grade", L("等级", "grade"))],
        verbose_name=L("单位", "Unit"),
    )
    version = models.TextField(verbose_name=L("版本", "Version"))
    source = models.TextField(verbose_name=L("依据", "Source clause"))
    valid_from = models.DateTimeField(verbose_name=L("生效", "Valid from"))
    valid_to = models.DateTimeField(null=True, blank=True, verbose_name=L("失效", "Valid to"))
    LEDGER = Ledger(
        "规则",
        "Rules",
        ("code", "value", "unit", "division_code", "version", "valid_from", "valid_to", "source"),
        ("code", "unit"),
        ("code", "source"),
        ("code", "-valid_from"),
        ("code", "value", "unit", "division_code", "version", "source", "valid_from", "valid_to"),
        right="supervise",
        group=("责任", "Accountability"),
    )


class Hazard(Record):
    """A hidden danger 隐患. States: found, graded, ordered, rectifying, rechecking, cancelled; overdue is computed.

    ``due_at`` is the time to rectify, ``step_due_at`` the limit of the step it waits for now, and
    ``overdue_at`` when that limit was found passed. ``rule_version`` is the one it began under.
    """

    KIND = "haz"
    title = models.TextField(verbose_name=L("隐患", "Hazard"))
    title_en = models.TextField(default="")
    site = models.ForeignKey("register.Site", null=True, on_delete=models.SET_NULL, verbose_name=L("对象", "Site"))
    major = models.BooleanField(default=False, verbose_name=L("重大", "Major"))
    state = models.CharField(max_length=12, default="found", db_index=True, verbose_name=L("状态", "State"))
    found_at = models.DateTimeField(verbose_name=L("发现", "Found"))
    found_by = models.TextField(default="", verbose_name=L("来源", "Found by"))
    post = models.ForeignKey("register.Post", null=True, on_delete=models.PROTECT, verbose_name=L("责任岗位", "Post"))
    due_at = models.DateTimeField(null=True, db_index=True, verbose_name=L("整改时限", "Due"))
    step_due_at = models.DateTimeField(null=True, db_index=True, verbose_name=L("本步时限", "Step due"))
    overdue_at = models.DateTimeField(null=True, verbose_name=L("逾期", "Overdue since"))
    rectified_at = models.DateTimeField(null=True)
    rectified_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    rechecked_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    cancelled_at = models.DateTimeField(null=True, verbose_name=L("销号", "Cancelled"))
    measures = models.TextField(default="", blank=True, verbose_name=L("整改措施", "Measures"))
    rule_version = models.TextField(default="")
    LEDGER = Ledger(
        "隐患",
        "Hazards",
        ("found_at", "title", "site", "major", "state", "post", "due_at", "cancelled_at"),
        ("state", "major"),
        ("title",),
        ("due_at",),
        right="supervise",
        group=("责任", "Accountability"),
    )


class HazardStep(models.Model):
    """One step of a hazard's life: who, when, from, to, against which limit, evidence; append-only."""

    AUDIT = "append"
    id = models.BigAutoField(primary_key=True)
    hazard = models.ForeignKey(Hazard, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    actor = models.TextField()
    before = models.CharField(max_length=12)
    after = models.CharField(max_length=12)
    event = models.CharField(max_length=12)
    limit_at = models.DateTimeField(null=True)
    note = models.TextField(default="", blank=True)
    evidence = models.JSONField(default=dict)


class Case(Record):
    """An accountability case: what was late or silent, whose, by how much, with what consequence.

    ``limit_at`` and ``actual_at`` are of the matter itself; ``step_due_at`` is the limit to explain or decide.
    """

    KIND = "case"
    kind = models.TextField(db_index=True, verbose_name=L("类别", "Kind"))  # silent_call, late_task, late_rectification
    title = models.TextField(verbose_name=L("事项", "Matter"))
    title_en = models.TextField(default="")
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, verbose_name=L("当事人", "Person"))
    post = models.ForeignKey("register.Post", null=True, on_delete=models.SET_NULL, verbose_name=L("岗位", "Post"))
    opened_at = models.DateTimeField(verbose_name=L("立事项", "Opened"))
    limit_at = models.DateTimeField(verbose_name=L("时限", "Limit"))
    actual_at = models.DateTimeField(null=True, verbose_name=L("实际", "Actual"))
    state = models.CharField(
        max_length=12, default="opened", db_index=True, verbose_name=L("状态", "State")
    )  # opened, explained, decided, dismissed
    step_due_at = models.DateTimeField(null=True, db_index=True, verbose_name=L("本步时限", "Step due"))
    explanation = models.TextField(default="", blank=True, verbose_name=L("说明", "Explanation"))
    explained_at = models.DateTimeField(null=True)
    reason = models.TextField(default="", blank=True, verbose_name=L("不追究理由", "Reason to dismiss"))
    consequence = models.TextField(default="", blank=True, verbose_name=L("处理", "Consequence"))
    decided_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)
    rule_version = models.TextField(default="")
    LEDGER = Ledger(
        "问责",
        "Cases",
        ("opened_at", "kind", "title", "post", "state", "consequence"),
        ("kind", "state"),
        ("title",),
        ("-opened_at",),
        right="supervise",
        group=("责任", "Accountability"),
    )


def _index_causes(app_config: Any, **_: Any) -> None:
    """After every migrate: each record table (also a new one) has the index that `trace` walks by."""
    if app_config.name == "anlan.supervise":
        from .trace import index_causes

        index_causes()


post_migrate.connect(_index_causes, dispatch_uid="anlan.supervise.index_causes")
