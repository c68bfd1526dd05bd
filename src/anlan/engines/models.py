"""What the engines keep: events on their way (outbox), what was handled (inbox), the audit trail, facts and conditions of the house."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Outbox(models.Model):
    """One event, written in the transaction that made it true.

    ``key`` is the idempotency key (unique: the same fact twice is one event). The dispatcher
    gives it to every subscribed handler once (see `Inbox`) and then sets ``dispatched_at``.
    A trigger announces each row by ``NOTIFY anlan_event`` with ``id|type|subject`` at commit.
    """

    id = models.BigAutoField(primary_key=True)
    key = models.TextField(unique=True)
    type = models.TextField(db_index=True)  # <room>.<record>.<past participle>
    subject = models.TextField(db_index=True)  # id of the record it is about
    division_code = models.CharField(max_length=12, default="", blank=True)
    payload = models.JSONField(default=dict)
    cause = ArrayField(models.TextField(), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    dispatched_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["id"], name="outbox_waiting", condition=models.Q(dispatched_at__isnull=True))]


class Inbox(models.Model):
    """One event handled by one subscriber: the row commits with the handler's effects."""

    event = models.ForeignKey(Outbox, on_delete=models.CASCADE)
    handler = models.TextField()
    handled_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "handler"], name="inbox_once")]


class FailedEvent(models.Model):
    """An event that a handler could not take: shown to the administrator, retried with back-off."""

    event = models.ForeignKey(Outbox, on_delete=models.CASCADE)
    handler = models.TextField()
    attempts = models.IntegerField(default=1)
    error = models.TextField()
    retry_at = models.DateTimeField(null=True)  # null: given up, waits for a person
    failed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["event", "handler"], name="failed_once")]


class AuditEntry(models.Model):
    """Who changed which row, from what to what; written by database triggers only."""

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.TextField()
    table = models.TextField()
    row = models.TextField(db_index=True)
    action = models.CharField(max_length=6)  # INSERT UPDATE DELETE
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)


class HouseFact(models.Model):
    """What was fixed when this installation was made (number of lanes, of partitions); see `engines.installed`."""

    name = models.TextField(primary_key=True)
    value = models.TextField()


class Condition(models.Model):
    """Something is wrong with the house itself (disk, clock, log): on every screen until it ended or was seen to.

    ``key`` tells two of one code apart (a lane, a machine). Written by `engines.conditions`.
    """

    id = models.BigAutoField(primary_key=True)
    code = models.TextField()
    key = models.TextField(default="")
    zh = models.TextField()
    en = models.TextField()
    since = models.DateTimeField()
    until = models.DateTimeField(null=True)  # null: it stands

    class Meta:
        constraints = [models.UniqueConstraint(fields=["code", "key"], name="condition_once", condition=models.Q(until__isnull=True))]
