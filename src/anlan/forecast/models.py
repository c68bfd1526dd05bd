"""Forecasts as kept."""

from __future__ import annotations

from django.db import models

from ..engines.records import Ledger, Record, label

L = label


class Forecast(Record):
    """One forecast for a station: failure window (UTC) or quantiles per lead time."""

    AUDIT = "append"
    KIND = "fcst"
    station = models.ForeignKey("register.Station", on_delete=models.CASCADE, verbose_name=L("测点", "Station"))
    site = models.ForeignKey("register.Site", on_delete=models.CASCADE, verbose_name=L("监测对象", "Site"))
    forecaster = models.TextField(verbose_name=L("方法", "Method"))
    made_at = models.DateTimeField(db_index=True, verbose_name=L("作出", "Made at"))
    p10 = models.DateTimeField(null=True)
    p50 = models.DateTimeField(null=True, verbose_name=L("中值", "Median"))
    p90 = models.DateTimeField(null=True)
    quantiles = models.JSONField(default=dict)
    evidence = models.JSONField(default=dict)
    zh = models.TextField(verbose_name=L("说明", "Sentence"))
    en = models.TextField()
    LEDGER = Ledger(
        "预报",
        "Forecasts",
        ("made_at", "station", "forecaster", "p50", "zh"),
        ("forecaster",),
        (),
        ("-made_at",),
        right="analyse",
        group=("研判", "Judgement"),
    )
