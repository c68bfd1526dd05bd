"""What collect keeps. The readings themselves live in two plain tables made by migration:

- ``reading`` (time_ms bigint, value float8, station int4, quantity int2, quality int2), partitioned
  by hour of ``time_ms``: the hot part, appended by COPY;
- ``reading_packed`` (station int4, quantity int2, start_ms bigint, end_ms bigint, rows int4,
  data bytea), primary key (station, quantity, start_ms): sealed hours and days, one row per series.
"""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class LatestBlock(models.Model):
    """Latest values of one partition as columns (NumPy bytes), written whole by its worker.

    ``data``: uint32 n, then station int32[n], quantity int16[n], time_ms int64[n], value float64[n],
    quality uint8[n], grade int8[n] (worst grade now judged for the series), silent uint8[n].
    """

    partition = models.SmallIntegerField(primary_key=True)
    data = models.BinaryField()
    written_ms = models.BigIntegerField()


class LaneCursor(models.Model):
    """How far a lane of the log has been worked into the database (the fence of exactly-once).

    ``log`` is when the stream was made, as the log says it; message ``mark_seq`` (at or before `seq`) was stored by the log
    at ``mark_ns`` (ns since 1970): by these a lost, emptied or older log is told from the one that was worked.
    """

    lane = models.SmallIntegerField(primary_key=True)
    seq = models.BigIntegerField(default=0)
    log = models.TextField(default="", db_default="")
    mark_seq = models.BigIntegerField(default=0, db_default=0)
    mark_ns = models.BigIntegerField(default=0, db_default=0)


class DeviceState(models.Model):
    """What the gateway last saw of a device: written on changes only, never once per reading.

    ``gateway`` names the gateway that holds (or held) its line. ``session`` is the MQTT session kept over
    reconnects: null none, -1 without subscription, else the QoS granted for its command topic.
    """

    device = models.OneToOneField("register.Device", primary_key=True, on_delete=models.CASCADE)
    online = models.BooleanField(default=False)
    seen_at = models.DateTimeField(null=True)
    address = models.TextField(default="")
    error = models.TextField(default="", blank=True)
    error_at = models.DateTimeField(null=True)
    battery = models.FloatField(null=True)
    signal = models.FloatField(null=True)
    gateway = models.TextField(default="", blank=True)
    session = models.SmallIntegerField(null=True, blank=True)


class DeadLetter(Record):
    """Something that came in and could not be taken: kept whole, with the reason and the remedy."""

    AUDIT = "none"
    KIND = "dead"
    code = models.TextField(db_index=True, verbose_name=L("原因码", "Code"))
    source = models.TextField(verbose_name=L("来源", "Source"))  # mqtt, http, frame, csv, worker
    device = models.TextField(blank=True, default="", db_index=True, verbose_name=L("设备", "Device"))
    topic = models.TextField(blank=True, default="", verbose_name=L("主题", "Topic"))
    payload = models.BinaryField(default=b"")  # first 64 KiB
    zh = models.TextField(verbose_name=L("说明", "Reason"))
    en = models.TextField()
    count = models.IntegerField(default=1, verbose_name=L("次数", "Count"))
    LEDGER = Ledger(
        "死信",
        "Dead letters",
        ("created_at", "code", "source", "device", "zh", "count"),
        ("code", "source"),
        ("device", "zh"),
        ("-created_at",),
        right="admin",
        group=("系统", "System"),
    )


class DeviceCommand(Record):
    """A command on its way down to a device; kept until the device acknowledges it or it expires.

    States: waiting, sent, acknowledged (PUBACK), done (device's own reply), failed, expired, cancelled.
    A trigger announces each row by ``NOTIFY anlan_command`` with its device id.
    """

    AUDIT = "none"
    KIND = "cmd"
    device = models.ForeignKey("register.Device", on_delete=models.CASCADE, verbose_name=L("设备", "Device"))
    action = models.TextField(verbose_name=L("动作", "Action"))  # play, stop, siren_on, siren_off, state, set_interval
    payload = models.JSONField(default=dict)
    qos = models.SmallIntegerField(default=1)
    packet_id = models.IntegerField(null=True, editable=False)  # MQTT packet identifier while unacknowledged
    expires_at = models.DateTimeField(verbose_name=L("有效期", "Expires"))
    state = models.CharField(max_length=14, default="waiting", db_index=True, verbose_name=L("状态", "State"))
    sent_at = models.DateTimeField(null=True)
    acked_at = models.DateTimeField(null=True)
    replied_at = models.DateTimeField(null=True)
    reply = models.JSONField(default=dict)
    LEDGER = Ledger(
        "设备指令",
        "Device commands",
        ("created_at", "device", "action", "state", "expires_at"),
        ("state", "action"),
        (),
        ("-created_at",),
        right="admin",
        group=("系统", "System"),
    )
