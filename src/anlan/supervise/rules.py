"""Rules as data: the rows of the bureau (`models.Rule`) before the shipped ones (``rules.csv``).

Of several rows for a code the narrowest region wins, then the newest; only rows valid at the asked time count.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib import resources

from django.db.models import Q

from ..base.division import ancestors
from .contract import Rule
from .models import Rule as RuleRow


@cache
def shipped() -> Mapping[str, Rule]:
    """The rules that come with the house: working defaults, said to be such in their source."""
    text = resources.files("anlan.supervise").joinpath("rules.csv").read_text("utf-8")
    return {r["code"]: Rule(r["code"], float(r["value"]), r["unit"], r["version"], r["source"]) for r in csv.DictReader(text.splitlines())}


def rules_at(at: datetime, division_code: str) -> dict[str, Rule]:
    """All rules in force at `at` (UTC) in a division."""
    found = dict(shipped())
    rows = RuleRow.objects.filter(division_code__in=["", *ancestors(division_code)], valid_from__lte=at)
    rows = rows.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=at))
    for row in sorted(rows, key=lambda r: (len(r.division_code), r.valid_from, r.version)):
        found[row.code] = Rule(row.code, row.value, row.unit, row.version, row.source)
    return found
