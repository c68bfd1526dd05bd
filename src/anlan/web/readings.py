"""Readings of a station for a chart: thinned with bands, gaps open, and what the judges make of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import psycopg
from django.db import connection
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from ..base.clock import from_ms, now_ms, to_ms
from ..base.errors import FieldError
from ..base.quantity import BY_NAME, BY_NUMBER, Quantity
from ..collect.packing import SeriesRows
from ..collect.store import readings
from ..detect.models import Finding
from ..forecast.models import Forecast
from ..register.models import Series, Station
from ..register.scope import Asker
from .app import as_json
from .detail import find_station, in_force, limit_row, signed_limits
from .judged import Judged, judge
from .thin import thin

router = Router(tags=["readings"])
MOVING = ("displacement", "crack_width")  # quantities whose velocity is judged
DEFAULT_SPAN = timedelta(days=7)
LONGEST_SPAN_MS = 366 * 86_400_000 * 3


def _moment_ms(name: str, text: str, default: int) -> int:
    if not text:
        return default
    if text.lstrip("-").isdecimal() and len(text) < 16:
        return int(text)
    try:
        when = datetime.fromisoformat(text.replace(" ", "+"))
        return to_ms(when if when.tzinfo else when.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise FieldError(name, text, "应为 ISO 8601 时间或 UTC 毫秒", "must be an ISO 8601 time or UTC milliseconds") from None


def _quantity(station: Station, text: str) -> Quantity:
    known = list(Series.objects.filter(station=station).order_by("id").values_list("quantity", flat=True))
    if not text:
        return BY_NUMBER[known[0]] if known and known[0] in BY_NUMBER else BY_NUMBER[1]
    found = BY_NAME.get(text) or (BY_NUMBER.get(int(text)) if text.isdecimal() and len(text) < 6 else None)
    if found is None:
        raise FieldError("quantity", text, f"未登记的监测量；可用：{'、'.join(BY_NAME)}", f"unknown; known: {', '.join(BY_NAME)}")
    return found


class _ServerBound:
    """Django's connection with psycopg's own cursors (Django's bind on the client, which has no binary results)."""

    def cursor(self, *, binary: bool = False, row_factory: Any = None) -> psycopg.Cursor[Any]:
        """A cursor of the store's kind."""
        connection.ensure_connection()
        made: psycopg.Cursor[Any] = psycopg.Cursor(connection.connection, row_factory=row_factory)
        made.format = psycopg.pq.Format.BINARY if binary else psycopg.pq.Format.TEXT
        return made


def read(number: int, quantity: int, from_ms: int, to_ms_: int) -> SeriesRows:
    """The stored readings of a series (inclusive bounds), over this thread's connection."""
    return readings(_ServerBound(), number, quantity, from_ms, to_ms_)  # type: ignore[arg-type]


def _columns(judged: Judged, name: str, points: int, interval_ms: float) -> dict[str, Any]:
    column = getattr(judged, name)
    out = thin(judged.time_ms, column, np.zeros(len(column), np.uint8), points, interval_ms)
    return {"time_ms": out.time_ms, "value": out.value}


def _forecast(station: Station, judged: Judged | None, until: int) -> dict[str, Any] | None:
    """The newest forecast made by `until`, with the straight line through the clear inverse velocities before it."""
    made = Forecast.objects.filter(station=station, made_at__lte=from_ms(until)).order_by("-made_at").first()
    if made is None:
        return None
    times = {name: to_ms(getattr(made, name)) if getattr(made, name) else None for name in ("p10", "p50", "p90")}
    return {"id": made.pk, "made_ms": to_ms(made.made_at), **times, "zh": made.zh, "en": made.en, "fit": _fit(judged, times["p50"])}


def _fit(judged: Judged | None, p50: int | None) -> dict[str, Any] | None:
    if judged is None or p50 is None:
        return None
    clear = np.flatnonzero(np.isfinite(judged.inverse_velocity))[-60:]
    if len(clear) < 5:
        return None
    t, y = judged.time_ms[clear], judged.inverse_velocity[clear]
    hours = (t - t[0]) / 3_600_000.0
    slope, start = np.polyfit(hours, y, 1)
    left = y - (start + slope * hours)
    spread = float(((y - y.mean()) ** 2).sum())
    end = int(t[0] - start / slope * 3_600_000) if slope < 0 else int(t[-1])
    r2 = 1 - float((left**2).sum()) / spread if spread > 0 else 0.0
    return {
        "t0_ms": int(t[0]),
        "v0": float(start),
        "t1_ms": end,
        "v1": float(start + slope * (end - t[0]) / 3_600_000),
        "r2": r2,
        "n": len(clear),
    }


def _steady(station: Station, until: int) -> float | None:
    found = Finding.objects.filter(station=station, at__lte=from_ms(until), evidence__has_key="steady_m_per_h").order_by("-at").first()
    if found is None:
        return None
    values = [found.evidence.get(name) for name in ("steady_m_per_h", "noise_velocity_m_per_h")]
    known = [float(v) for v in values if isinstance(v, (int, float)) and v > 0]
    return max(known) if known else None


@router.get("/stations/{key}/readings", summary="Readings of one quantity, thinned with bands, and the judged series")
def station_readings(
    request: HttpRequest,
    key: str,
    quantity: str = "",
    from_: str = Query("", alias="from"),  # type: ignore[type-arg]
    to: str = "",
    points: int = 2000,
) -> HttpResponse:
    """SI values from `from` to `to` (ISO 8601 or UTC ms; default the last 7 days); a null row stands in every gap."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    station = find_station(asker, key)
    wanted = _quantity(station, quantity.replace("\x00", ""))
    until = _moment_ms("to", to, now_ms())
    since = _moment_ms("from", from_, until - int(DEFAULT_SPAN.total_seconds() * 1000))
    if not 0 <= until - since <= LONGEST_SPAN_MS or abs(since) > 2**52:
        raise FieldError("from", from_, "时间范围应在 3 年以内且先后正确", "the span must be positive and at most three years")
    if not 10 <= points <= 20_000:
        raise FieldError("points", points, "应为 10–20000", "must be from 10 to 20000")
    rows = read(station.number, wanted.number, since, until)
    interval_ms = station.interval_s * 1000
    shown = thin(rows.time_ms, rows.value, rows.quality, points, interval_ms)
    judged = judge(rows.time_ms, rows.value, rows.quality, interval_ms, _steady(station, until)) if wanted.name in MOVING else None
    series = {}
    if judged is not None:
        series = {n: _columns(judged, n, points, interval_ms) for n in ("velocity", "tangent_angle", "inverse_velocity")}
    return as_json(
        {
            "station": station.pk,
            "number": station.number,
            "quantity": wanted.name,
            "unit": wanted.unit,
            "shown_unit": wanted.shown_unit or wanted.unit,
            "shown_factor": wanted.shown_factor,
            "from_ms": since,
            "to_ms": until,
            "count": len(rows),
            "thinned": shown.thinned,
            "time_ms": shown.time_ms,
            "value": shown.value,
            "quality": shown.quality,
            **({"min": shown.low, "max": shown.high} if shown.thinned else {}),
            "gaps": shown.gaps,
            "thresholds": [limit_row(row) for row in in_force(signed_limits([station]), station, wanted.name)],
            "judged": {
                **series,
                "steady": judged.steady if judged else None,
                "window_ms": judged.window_ms if judged else None,
                "forecast": _forecast(station, judged, until),
            },
        }
    )
