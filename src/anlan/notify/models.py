"""What notify keeps."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from ..engines.records import Ledger, Record, label

L = label
FACTS = ("channel", "device", "confirmed", "acted")


class Notice(Record):
    """One message to one recipient over one channel. The id is derived from (warning, recipient, channel).

    ``recipient`` is the id of a household, person or device. States: queued, sending, sent, failed,
    cancelled, expired, unreachable (no way to reach is registered: shown as unknown, never as reached).
    ``reached`` is the strongest fact so far: 0 none, 1 channel, 2 device, 3 confirmed, 4 acted.
    """

    AUDIT = "none"
    KIND = "note"
    warning = models.ForeignKey("issue.HazardWarning", on_delete=models.CASCADE, related_name="notices", verbose_name=L("预警", "Warning"))
    series = models.TextField(default="", db_index=True)
    recipient = models.TextField(db_index=True, verbose_name=L("接收者", "Recipient"))
    recipient_name = models.TextField(default="", verbose_name=L("接收者名", "Recipient's name"))
    channel = models.TextField(verbose_name=L("渠道", "Channel"))
    address = models.TextField(default="", blank=True)
    title = models.TextField(default="")
    text = models.TextField(default="")
    state = models.CharField(max_length=12, default="queued", verbose_name=L("状态", "State"))
    priority = models.SmallIntegerField(default=5)  # smaller goes first; a lift overtakes everything
    attempts = models.IntegerField(default=0)
    next_at = models.DateTimeField(null=True)
    error = models.TextField(default="", blank=True)
    provider_id = models.TextField(default="", blank=True)  # what the channel calls it: a device command's id, a message id
    reached = models.SmallIntegerField(default=0)
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

    class Meta:
        indexes = [
            models.Index(fields=["priority", "next_at"], name="notice_waiting", condition=Q(state__in=["queued", "sending"])),
            models.Index(fields=["provider_id"], name="notice_provider", condition=~Q(provider_id="")),
        ]


class Spread(models.Model):
    """How far a warning's notices to households have been made: one row a warning, worked off in slices."""

    warning = models.OneToOneField("issue.HazardWarning", primary_key=True, on_delete=models.CASCADE)
    after = models.TextField(default="", blank=True)  # last household id made
    made = models.IntegerField(default=0)
    started_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True, db_index=True)


class ReceiptHead(models.Model):
    """The end of a warning's receipt chain: the lock of its writers, and proof against cutting the tail off."""

    warning = models.OneToOneField("issue.HazardWarning", primary_key=True, on_delete=models.CASCADE)
    seq = models.IntegerField(default=0)
    hash = models.CharField(max_length=64, default="")


class Receipt(models.Model):
    """One fact about one notice: append-only, hash-chained per warning. Repeats and late ones are allowed, never updates."""

    AUDIT = "append"
    id = models.BigAutoField(primary_key=True)
    warning = models.ForeignKey("issue.HazardWarning", on_delete=models.CASCADE, related_name="receipts")
    seq = models.IntegerField()
    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="receipts")
    fact = models.CharField(max_length=10)  # one of FACTS, or failed
    at = models.DateTimeField()
    reported_by = models.TextField()  # device id, person id, household id, channel name
    provider_id = models.TextField(default="", blank=True)
    evidence = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["notice", "fact", "provider_id"], name="receipt_once"),
            models.UniqueConstraint(fields=["warning", "seq"], name="receipt_seq_once"),
        ]


class CallChain(Record):
    """叫应: the people who must answer for a warning, in order; each has N minutes, then the next is called."""

    KIND = "chain"
    warning = models.ForeignKey("issue.HazardWarning", on_delete=models.CASCADE, related_name="chains", verbose_name=L("预警", "Warning"))
    series = models.TextField(default="", db_index=True)
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
    """One person called: waiting, calling, answered, refused, timed_out, skipped (post vacant), cancelled.

    Somebody on leave is not called: the step is the substitute's, `stands_in_for` names the holder.
    """

    KIND = "step"
    chain = models.ForeignKey(CallChain, on_delete=models.CASCADE, related_name="steps")
    order = models.IntegerField()
    post = models.ForeignKey("register.Post", on_delete=models.PROTECT)
    person = models.ForeignKey("register.Person", null=True, on_delete=models.SET_NULL)
    stands_in_for = models.TextField(default="", blank=True)
    level = models.CharField(max_length=12, default="")
    minutes = models.FloatField(default=5)
    state = models.CharField(max_length=10, default="waiting", db_index=True)
    called_at = models.DateTimeField(null=True)
    deadline = models.DateTimeField(null=True, db_index=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.TextField(default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["chain", "order"], name="step_order_once")]
