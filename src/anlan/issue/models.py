"""What issue keeps."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ..engines.records import Ledger, Record, label

L = label


class Proposal(Record):
    """The machine's proposal for one place and hazard; at most one is open for each.

    States: open, claimed (somebody looks at it), signed, declined, withdrawn (evidence gone).
    ``grade`` only rises while open. ``cause`` are the finding ids.
    """

    KIND = "prop"
    site = models.ForeignKey("register.Site", on_delete=models.CASCADE, verbose_name=L("监测对象", "Site"))
    hazard = models.TextField(verbose_name=L("灾种", "Hazard"))
    grade = models.SmallIntegerField(verbose_name=L("等级", "Grade"))
    state = models.CharField(max_length=10, default="open", db_index=True, verbose_name=L("状态", "State"))
    proposed_at = models.DateTimeField(verbose_name=L("提出", "Proposed"))
    decide_by = models.DateTimeField(verbose_name=L("决断时限", "Decide by"))
    claimed_by = models.ForeignKey(
        "register.Person", null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=L("认领", "Claimed by")
    )
    decided_by = models.ForeignKey(
        "register.Person", null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=L("决断人", "Decided by")
    )
    decided_at = models.DateTimeField(null=True)
    reason = models.TextField(default="", blank=True)
    title = models.TextField(default="", verbose_name=L("标题", "Title"))
    title_en = models.TextField(default="")
    zh = models.TextField(verbose_name=L("依据", "Evidence"))
    en = models.TextField()
    evidence = models.JSONField(default=dict)  # gates, figures, now (the grade the evidence supports now), clear_since_ms, fingerprint
    LEDGER = Ledger(
        "预警建议",
        "Proposals",
        ("proposed_at", "site", "hazard", "grade", "state", "zh"),
        ("state", "hazard", "grade"),
        ("zh",),
        ("-proposed_at",),
        right="sign",
        group=("预警", "Warnings"),
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["site", "hazard"], condition=Q(state__in=["open", "claimed"]), name="proposal_one_open")
        ]


class Consultation(Record):
    """会商: who was asked, what they said, the minutes."""

    KIND = "cons"
    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE)
    opened_by = models.ForeignKey("register.Person", on_delete=models.PROTECT)
    opinions = models.JSONField(default=list)  # [{person, at, text, grade}]
    minutes = models.TextField(default="", blank=True)
    closed_at = models.DateTimeField(null=True)


class StandingOrder(Record):
    """A signed order that lets the machine act at once: this hazard, this grade and worse, this area, this action.

    ``actions`` are device commands (``siren_on``) and ``issue`` (the warning comes into force by itself); an automatic
    act is always shown as such.
    """

    KIND = "order"
    title = models.TextField(verbose_name=L("名称", "Title"))
    hazard = models.TextField(verbose_name=L("灾种", "Hazard"))
    grade = models.SmallIntegerField(verbose_name=L("起始等级", "From grade"))
    site = models.ForeignKey("register.Site", null=True, blank=True, on_delete=models.CASCADE, verbose_name=L("监测对象", "Site"))
    area = models.CharField(max_length=12, blank=True, default="", verbose_name=L("区域", "Area"))
    actions = models.JSONField(default=list)
    version = models.IntegerField(default=1)
    signed_by = models.ForeignKey("register.Person", null=True, blank=True, on_delete=models.PROTECT, verbose_name=L("签发人", "Signed by"))
    signed_at = models.DateTimeField(null=True)
    valid_from = models.DateTimeField(verbose_name=L("生效", "Valid from"))
    valid_to = models.DateTimeField(null=True, blank=True, verbose_name=L("失效", "Valid to"))
    LEDGER = Ledger(
        "常备指令",
        "Standing orders",
        ("title", "hazard", "grade", "site", "area", "signed_by", "valid_to"),
        ("hazard",),
        ("title",),
        ("title",),
        right="sign",
        group=("预警", "Warnings"),
    )


class HazardWarning(Record):
    """One version of a warning. ``series`` names the warning through its versions.

    States: issued, superseded (a newer version stands), lifted, expired. ``kind``: issue, update,
    upgrade, downgrade, lift. ``automatic`` names the standing order that allowed it, else empty.
    """

    KIND = "warn"
    series = models.TextField(db_index=True)
    version = models.IntegerField(default=1, verbose_name=L("版本", "Version"))
    proposal = models.ForeignKey(Proposal, null=True, on_delete=models.SET_NULL)
    site = models.ForeignKey("register.Site", null=True, on_delete=models.SET_NULL, verbose_name=L("监测对象", "Site"))
    hazard = models.TextField(verbose_name=L("灾种", "Hazard"))
    grade = models.SmallIntegerField(verbose_name=L("等级", "Grade"))
    kind = models.CharField(max_length=10, default="issue", verbose_name=L("动作", "Kind"))
    state = models.CharField(max_length=10, default="issued", db_index=True, verbose_name=L("状态", "State"))
    title = models.TextField(verbose_name=L("标题", "Title"))
    title_en = models.TextField(default="")
    text = models.TextField(verbose_name=L("内容", "Text"))
    text_en = models.TextField(default="")
    instruction = models.TextField(default="", verbose_name=L("行动", "Instruction"))
    instruction_en = models.TextField(default="")
    area = models.JSONField(null=True)  # GeoJSON polygon, WGS-84
    area_codes = models.JSONField(default=list)  # division codes
    issued_at = models.DateTimeField(db_index=True, verbose_name=L("签发时间", "Issued"))
    expires_at = models.DateTimeField(verbose_name=L("失效时间", "Expires"))
    ended_at = models.DateTimeField(null=True)
    signed_by = models.ForeignKey("register.Person", null=True, on_delete=models.PROTECT, verbose_name=L("签发人", "Signed by"))
    automatic = models.TextField(default="", blank=True, verbose_name=L("常备指令", "Standing order"))
    exercise = models.BooleanField(default=False, verbose_name=L("演练", "Exercise"))
    sender = models.TextField(default="", blank=True, verbose_name=L("发送方", "Sender"))  # as in its CAP message, for later references
    reason = models.TextField(default="", blank=True, verbose_name=L("理由", "Reason"))
    LEDGER = Ledger(
        "预警",
        "Warnings",
        ("issued_at", "title", "grade", "kind", "state", "signed_by", "expires_at"),
        ("state", "hazard", "grade"),
        ("title",),
        ("-issued_at",),
        right="sign",
        group=("预警", "Warnings"),
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["series", "version"], name="warning_version_once")]
        indexes = [models.Index(fields=["site", "hazard"], name="warning_in_force", condition=Q(state="issued"))]
