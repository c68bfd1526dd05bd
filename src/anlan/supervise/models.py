"""What supervise keeps."""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class Hazard(Record):
    """A hidden danger 隐患. States: found, graded, ordered, rectifying, rechecking, cancelled; overdue is computed."""

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
    rectified_at = models.DateTimeField(null=True)
    rectified_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    rechecked_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    cancelled_at = models.DateTimeField(null=True, verbose_name=L("销号", "Cancelled"))
    measures = models.TextField(default="", blank=True)
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
    """One step of a hazard's life: who, when, from, to, evidence; append-only."""

    id = models.BigAutoField(primary_key=True)
    hazard = models.ForeignKey(Hazard, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField()
    actor = models.TextField()
    before = models.CharField(max_length=12)
    after = models.CharField(max_length=12)
    note = models.TextField(default="", blank=True)
    evidence = models.JSONField(default=dict)


class Case(Record):
    """An accountability case: what was late or silent, whose, by how much, with what consequence."""

    KIND = "case"
    kind = models.TextField(db_index=True, verbose_name=L("类别", "Kind"))  # silent_call, late_task, late_rectification
    title = models.TextField(verbose_name=L("事项", "Matter"))
    title_en = models.TextField(default="")
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, verbose_name=L("当事人", "Person"))
    post = models.ForeignKey("register.Post", null=True, on_delete=models.SET_NULL, verbose_name=L("岗位", "Post"))
    limit_at = models.DateTimeField(verbose_name=L("时限", "Limit"))
    actual_at = models.DateTimeField(null=True, verbose_name=L("实际", "Actual"))
    state = models.CharField(
        max_length=12, default="opened", db_index=True, verbose_name=L("状态", "State")
    )  # opened, explained, decided, dismissed
    explanation = models.TextField(default="", blank=True, verbose_name=L("说明", "Explanation"))
    consequence = models.TextField(default="", blank=True, verbose_name=L("处理", "Consequence"))
    decided_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    decided_at = models.DateTimeField(null=True)
    rule_version = models.TextField(default="")
    LEDGER = Ledger(
        "问责",
        "Cases",
        ("created_at", "kind", "title", "post", "state", "consequence"),
        ("kind", "state"),
        ("title",),
        ("-created_at",),
        right="supervise",
        group=("责任", "Accountability"),
    )
