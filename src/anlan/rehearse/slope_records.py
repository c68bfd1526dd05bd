"""Reading displacement records of slopes from CSV, whatever their columns are called.

Known shapes: one row per reading (a station column and a value), or one column per station. Times are hours
(``time_h``) or dates (``YYYY-MM``, ISO 8601; no zone: as they stand). Values in ``_mm``, ``_cm`` or ``_m``; given back in metres.
Errors are `FieldError` naming file column and remedy.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..base.errors import FieldError

STATION = ("station", "point", "case_id", "site", "sensor", "id")
NOT_MOTION = ("rain", "level", "groundwater", "precip", "snow", "thr", "depth")
FACTOR = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
# accuracy of what usually samples that slowly: crack meter, GNSS, monthly GNSS (docs/skill.md); hours -> metres
ACCURACY = ((6.0, 5e-5), (120.0, 1.5e-3), (1e9, 5e-3))


@dataclass(slots=True)
class Record:
    """One station's displacement: hours since the file's first time, metres, and the file's first time (UTC ms)."""

    name: str
    time_h: NDArray[np.float64]
    metres: NDArray[np.float64]
    epoch_ms: int

    @property
    def step_h(self) -> float:
        """Median sampling step in hours."""
        return float(np.median(np.diff(self.time_h))) if len(self.time_h) > 1 else 1.0

    @property
    def accuracy_m(self) -> float:
        """Declared accuracy by sampling step, metres."""
        return next(a for limit, a in ACCURACY if self.step_h <= limit)


def _when(text: str) -> float:
    """Hours since 1970 of a date or date-time; months are taken at their first day."""
    text = text.strip()
    moment = datetime.fromisoformat(text if len(text) > 7 else f"{text}-01")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() / 3600


def _motion(columns: list[str]) -> list[str]:
    """Columns that hold displacements, by their unit ending."""
    found = [c for c in columns if c.rpartition("_")[2].lower() in FACTOR and not any(w in c.lower() for w in NOT_MOTION)]
    named = [c for c in found if "disp" in c.lower()]
    return named or found


def _number(text: str | None) -> float:
    try:
        return float(text) if text else np.nan
    except ValueError:
        return np.nan


def read(path: str) -> list[Record]:
    """All stations of a CSV file in order of name; rows without a number are left out; times are sorted, repeats dropped."""
    try:
        with Path(path).open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = [c for c in reader.fieldnames or [] if c]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise FieldError("path", path, f"无法读取：{error}", f"cannot be read: {error}", code="rehearse.unreadable") from None
    clock = next((c for c in ("time_h", "time", "date", "datetime", "timestamp") if c in columns), None)
    motion = _motion(columns)
    if clock is None or not motion or not rows:
        need = "需要时间列（time_h、time 或 date）与位移列（以 _mm、_cm 或 _m 结尾）"
        raise FieldError("columns", columns, need, "needs a time column and a displacement column ending in _mm, _cm or _m",
                         code="rehearse.bad_columns")  # fmt: skip
    hours = []
    for number, row in enumerate(rows, 2):
        try:
            hours.append(float(row[clock]) if clock == "time_h" else _when(row[clock] or ""))
        except (ValueError, TypeError):
            raise FieldError(f"{clock} (line {number})", row[clock], "不是时间", "is no time", code="rehearse.bad_time") from None
    epoch = 0.0 if clock == "time_h" else min(hours)
    key = next((c for c in STATION if c in columns), None)
    series: dict[str, list[tuple[float, float]]] = {}
    for hour, row in zip(hours, rows, strict=True):
        for column in motion[:1] if key else motion:
            name = str(row[key]) if key else column.rpartition("_")[0]
            series.setdefault(name, []).append((hour - epoch, _number(row[column]) * FACTOR[column.rpartition("_")[2].lower()]))
    return [_record(name, pairs, round(epoch * 3.6e6)) for name, pairs in sorted(series.items())]


def _record(name: str, pairs: list[tuple[float, float]], epoch_ms: int) -> Record:
    t, x = np.array(sorted(p for p in pairs if p[1] == p[1]) or np.empty((0, 2)), float).reshape(-1, 2).T
    keep = np.r_[True, np.diff(t) > 0][: len(t)]
    return Record(name, t[keep], x[keep], epoch_ms)
