"""What detect keeps: compiled settings, state snapshots, findings."""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class LaneConfig(models.Model):
    """The station table and thresholds of a lane, compiled (immutable); a `config` message names it."""

    lane = models.SmallIntegerField()
    version = models.IntegerField()
    data = models.BinaryField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["lane", "version"], name="laneconfig_once")]


class Snapshot(models.Model):
    """Recursive state of one partition after message `seq` of its lane; overwritten in turn."""

    partition = models.SmallIntegerField(primary_key=True)
    lane = models.SmallIntegerField(db_index=True)
    seq = models.BigIntegerField()
    config_version = models.IntegerField()
    data = models.BinaryField()


class Finding(Record):
    """What a detector says of one station: grade, score, evidence in numbers, one sentence.

    The id is derived from (station, detector, kind, time). ``grade`` 0 is "back to normal".
    ``cause`` holds the reading ids it rests on.
    """

    AUDIT = "append"
    KIND = "find"
    station = models.ForeignKey("register.Station", on_delete=models.CASCADE, verbose_name=L("测点", "Station"))
    site = models.ForeignKey("register.Site", on_delete=models.CASCADE, verbose_name=L("监测对象", "Site"))
    quantity = models.TextField(verbose_name=L("监测量", "Quantity"))
    detector = models.TextField(db_index=True, verbose_name=L("检测器", "Detector"))
    hazard = models.TextField(db_index=True, verbose_name=L("灾种", "Hazard"))  # slope, flood, rain, device ...
    grade = models.SmallIntegerField(verbose_name=L("等级", "Grade"))
    score = models.FloatField(default=0, verbose_name=L("分值", "Score"))
    at = models.DateTimeField(db_index=True, verbose_name=L("时间", "At"))
    evidence = models.JSONField(default=dict)
    zh = models.TextField(verbose_name=L("依据", "Evidence"))
    en = models.TextField()
    LEDGER = Ledger(
        "研判结果",
        "Findings",
        ("at", "station", "detector", "grade", "zh"),
        ("detector", "hazard", "grade"),
        ("zh",),
        ("-at",),
        right="analyse",
        group=("研判", "Judgement"),
    )

    class Meta:
        indexes = [models.Index(fields=["site", "-at"], name="finding_site_at")]


class Overrule(Record):
    """A named person says of a station's readings that they are good, bad, or not to be judged (see `detect.overrule`).

    ``quantity`` 0 means all of the station; the span is of reading time, UTC ms, end not included. Never changed but
    to be withdrawn; ``told`` is what the lane has been told of it so far (empty, ``set``, ``withdrawn``).
    """

    KIND = "over"
    station = models.ForeignKey("register.Station", on_delete=models.CASCADE, verbose_name=L("测点", "Station"))
    quantity = models.SmallIntegerField(default=0, verbose_name=L("监测量", "Quantity"))
    verdict = models.CharField(max_length=6, verbose_name=L("裁定", "Verdict"))  # good, bad, mute
    from_ms = models.BigIntegerField(verbose_name=L("自", "From"))
    to_ms = models.BigIntegerField(verbose_name=L("至", "To"))
    reason = models.TextField(verbose_name=L("理由", "Reason"))
    person = models.ForeignKey("register.Person", on_delete=models.PROTECT, related_name="+", verbose_name=L("裁定人", "Person"))
    withdrawn_at = models.DateTimeField(null=True, verbose_name=L("撤销", "Withdrawn"))
    withdrawn_by = models.ForeignKey("register.Person", null=True, on_delete=models.PROTECT, related_name="+")
    withdrawn_why = models.TextField(default="", blank=True)
    told = models.CharField(max_length=10, default="", blank=True)
    LEDGER = Ledger(
        "人工裁定",
        "Overrules",
        ("created_at", "station", "verdict", "from_ms", "to_ms", "person", "reason", "withdrawn_at"),
        ("verdict",),
        ("reason",),
        ("-created_at",),
        right="analyse",
        group=("研判", "Judgement"),
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(verdict__in=["good", "bad", "mute"]), name="overrule_verdict"),
            models.CheckConstraint(condition=models.Q(to_ms__gt=models.F("from_ms")), name="overrule_span"),
        ]
        indexes = [models.Index(fields=["told"], name="overrule_told")]
