"""What notify keeps."""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label
FACTS = ("channel", "device", "confirmed", "acted")


class Notice(Record):
    """One message to one recipient over one channel. The id is derived from (warning, recipient, channel).

    ``recipient`` is the id of a household, person, post, device or organisation. States:
    queued, sending, sent, failed, cancelled, expired, unreachable (no way to reach is registered).
    """

    AUDIT = "none"
    KIND = "note"
    warning = models.ForeignKey("issue.HazardWarning", on_delete=models.CASCADE, related_name="notices", verbose_name=L("预警", "Warning"))
    recipient = models.TextField(db_index=True, verbose_name=L("接收者", "Recipient"))
    recipient_name = models.TextField(default="")
    channel = models.TextField(verbose_name=L("渠道", "Channel"))
    address = models.TextField(default="", blank=True)
    title = models.TextField(default="")
    text = models.TextField(default="")
    state = models.CharField(max_length=12, default="queued", db_index=True, verbose_name=L("状态", "State"))
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField(null=True, db_index=True)
    error = models.TextField(default="", blank=True)
    reached = models.SmallIntegerField(default=0)  # strongest fact so far: 0 none .. 4 acted
    LEDGER = Ledger(
        "通知",
        "Notices",
        ("created_at", "warning", "recipient_name", "channel", "state", "reached"),
        ("channel", "state"),
        ("recipient_name",),
        ("-created_at",),
        right="notify",
        group=("发布", "Delivery"),
    )


class Receipt(models.Model):
    """One fact about one notice: append-only, hash-chained. Repeats and late ones are allowed, never updates."""

    AUDIT = "append"
    id = models.BigAutoField(primary_key=True)
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="receipts")
    fact = models.CharField(max_length=10)  # one of FACTS, or failed
    at = models.DateTimeField()
    reported_by = models.TextField()  # device id, person id, channel name
    provider_id = models.TextField(default="", blank=True)
    evidence = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["notice", "fact", "provider_id"], name="receipt_once")]


class CallChain(Record):
    """叫应: the people who must answer for a warning, in order; each has N minutes, then the next is called."""

    KIND = "chain"
    warning = models.ForeignKey("issue.HazardWarning", on_delete=models.CASCADE, related_name="chains", verbose_name=L("预警", "Warning"))
    site = models.ForeignKey("register.Site", null=True, on_delete=models.SET_NULL)
    state = models.CharField(
        max_length=10, default="calling", db_index=True, verbose_name=L("状态", "State")
    )  # calling, answered, exhausted, cancelled
    answered_by = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL, related_name="+")
    answered_at = models.DateTimeField(null=True)
    LEDGER = Ledger(
        "叫应",
        "Call chains",
        ("created_at", "warning", "state", "answered_at"),
        ("state",),
        (),
        ("-created_at",),
        right="notify",
        group=("发布", "Delivery"),
    )


class CallStep(Record):
    """One person called: waiting, calling, answered, refused, timed_out, skipped (on leave: substitute took it)."""

    KIND = "step"
    chain = models.ForeignKey(CallChain, on_delete=models.CASCADE, related_name="steps")
    order = models.IntegerField()
    post = models.ForeignKey("register.Post", on_delete=models.PROTECT)
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL)
    state = models.CharField(max_length=10, default="waiting", db_index=True)
    called_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True, db_index=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField(default="", blank=True)
