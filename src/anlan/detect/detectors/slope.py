"""Slopes: improved tangent angle with joint gates; red only with evidence of the failure law.

Improved tangent angle (Xu Qiang; levels as in table 1 of doi 10.1186/s13638-021-02033-y): alpha = arctan(v / V0), V0 the
velocity of steady creep, *floored at the noise velocity* of the sensor (V0 near zero is the main cause of false reds).
Velocities are least-squares slopes over windows of the series' own readings, so hourly, daily and burst sampling
are judged alike: short (last 3 steps), long (7 steps; Carla et al. 2017, doi 10.1007/s10346-016-0731-5), an exponential mean of steps
(beta 0.5) and the two long windows before. Grades rise when all their gates hold on two readings in a row:

- blue: alpha > 45 deg, velocity over 3 noise velocities, gain over 3 sigma;
- yellow: v > 5 V0 (78.7 deg), gain over max(5 sigma, least gain);
- orange: alpha >= 80 deg in the short and the long window, velocity rising over two successive windows and still
  rising now, and the failure law before a broken line (else the step of a reservoir slope is orange each summer);
- red: the failure law explains the look-back better than every rival that does not fail (`base.failure`), most of its
  phase has passed, the velocity is 1.5 times that of the window before and the short window ahead of the long one (veto for
  steps that decelerate), v > 3 V0, gain over 12 sigma. Red stays until velocity falls under half of its peak since red.

Orange and red are judged on ticks, only where the cheap gate is open, and need two fits in a row.

Suspect readings are not used at all. A second sensor at the site is the matter of `issue`: `evidence` carries what it needs.
Units: SI; velocities per hour; angles in degrees.
"""

# mypy: allow-untyped-defs
from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ...base.failure import PER_WINDOW, WINDOWS, Lookback
from ...base.quantity import BY_NUMBER
from ..contract import Detector, Findings, Gate, Rows, SeriesTable, State, watched
from . import _tiers
from ._kernel import columns
from ._slope import (
    AHEAD_MOST,
    AHEAD_RED,
    ANGLE,
    BROKEN,
    COLUMNS,
    DOUBLING,
    GAIN,
    LEAST,
    NOISE,
    OVER_BROKEN,
    OVER_RAMP,
    P10,
    P90,
    PASSED,
    PHASE,
    QUANTITY,
    RAMP,
    RED_ANGLE,
    RED_LEAST,
    RED_RATIO,
    RED_SIGMAS,
    V0,
    V2,
    VN,
    VS,
    V,
    fit_one,
    step,
)  # fmt: skip
from ._tiers import assemble, last

MOST_FITS = 300  # fits in one tick (about 3 ms each); the rest follow on the next


class Slope(Detector):
    """Tangent angle, velocity increment and displacement gates; failure-law evidence for red."""

    name = "slope"
    hazard = "slope"
    quantities = ("displacement", "crack_width", "tilt")
    evidence = COLUMNS
    zh, en = "边坡切线角", "Slope tangent angle"

    def allocate(self, table: SeriesTable) -> State:
        """Memory, noise, steady velocity, last judgement of each series."""
        slot = watched(table, self.quantities)
        n = len(slot)
        return {
            "slot": slot,
            **_tiers.allocate(n),
            "noise": np.zeros(n),
            "steady": np.zeros(n),
            "steady_n": np.zeros(n, np.int32),
            "ewma": np.zeros(n),
            "grade": np.zeros(n, np.int8),
            "pending": np.zeros(n, np.int8),
            "law": np.zeros((n, 2), np.int8),  # fits in a row that were orange, red
            "peak": np.zeros(n),
            "dirty": np.zeros(n, np.int8),
            "ask": np.zeros(n, np.int8),
            "fit_ms": np.zeros(n, np.int64),
            "facts": np.zeros((n, len(COLUMNS)), np.float32),
            "fit": np.full((n, len(WINDOWS), PER_WINDOW), np.nan, np.float32),
        }

    def step(self, state: State, rows: Rows, table: SeriesTable) -> Findings:
        """Velocities and cheap gates after each reading; grades up to orange, and red's end."""
        if not len(rows) or not len(state["slot"]):
            return Findings()
        s = state
        out = columns(len(rows), len(COLUMNS))
        count = step(
            rows.slot, rows.time_ms, rows.value, rows.quality, rows.late, table.quantity, table.noise, s["slot"], s["count"],
            s["origin_ms"], s["origin"], s["tier_s"], s["tier"], s["sum_s"], s["sum"], s["noise"], s["steady"], s["steady_n"],
            s["ewma"], s["grade"], s["pending"], s["peak"], s["dirty"], s["ask"], s["facts"], *out,
        )  # fmt: skip
        return Findings.of(count, *out)

    def tick(self, state: State, now_ms: int, table: SeriesTable) -> Findings:
        """Fit the law where the cheap gate is open and a reading has come since; red rises here."""
        due = np.flatnonzero(state["dirty"])
        if not len(due):
            return Findings()
        if len(due) > MOST_FITS:
            due = due[np.argsort(state["fit_ms"][due], kind="stable")[:MOST_FITS]]
        out = columns(len(due), len(COLUMNS))
        count = 0
        for r in due.tolist():
            count = self._fit(state, r, now_ms, table, count, out)
        return Findings.of(count, *out)

    def _fit(self, state: State, r: int, now_ms: int, table: SeriesTable, count: int, out: tuple[NDArray, ...]) -> int:
        state["dirty"][r], state["fit_ms"][r], state["ask"][r] = 0, now_ms, 1
        s = state
        slot = int(s["slot"][r])
        return fit_one(
            r, slot, _interval_h(s, r), s["count"], s["origin_ms"], s["tier_s"], s["tier"], s["noise"], s["grade"], s["law"], s["peak"],
            s["facts"], s["fit"], count, *out,
        )  # fmt: skip

    def warm(self) -> None:
        """One made-up accelerating series, so that the fit is compiled before a slope needs it."""
        table = SeriesTable.of([self.quantities[0]], interval_ms=3_600_000, noise=1e-4)
        state = self.allocate(table)
        for i in range(60):
            rows = Rows.of([0], [1_700_000_000_000 + i * 3_600_000], [0.02 * math.log(70.0 / (70.0 - i))])
            self.step(state, rows, table)
        state["dirty"][:] = 1
        self.tick(state, 1_700_000_000_000, table)
        self.lookback(state, 0, table)

    def open_slots(self, state: State) -> NDArray[np.int64]:
        """Series fitted since they were last served."""
        return np.flatnonzero(state["ask"])

    def lookback(self, state: State, position: int, table: SeriesTable) -> Lookback | None:
        """The thinned memory with the fits already made."""
        s, r = state, position
        s["ask"][r] = 0
        t, x, w = assemble(r, s["count"], s["tier_s"], s["tier"])
        at, _ = last(r, 1, s["count"], s["tier_s"], s["tier"])
        now = int(s["origin_ms"][r]) + int(at) * 1000
        facts = {name: float(v) for name, v in zip(COLUMNS, s["facts"][r], strict=True)}
        times = now + np.round(t * 3.6e6).astype(np.int64)
        interval = _interval_h(s, r) * 3.6e6
        return Lookback(int(s["slot"][r]), times, x, w, float(s["noise"][r]), interval, facts, s["fit"][r].astype(np.float64))

    def describe(self, grade: int, evidence: tuple[float, ...]) -> tuple[str, str]:
        """Angle, velocity, gain, and for red the failure window."""
        e = evidence
        q = BY_NUMBER[int(e[QUANTITY])]
        unit = q.shown_unit or q.unit
        v, gain = e[V] * q.shown_factor * 24, e[GAIN] * q.shown_factor
        zh = f"{q.zh}切线角 {e[ANGLE]:.1f}°，速度 {v:.2f} {unit}/d，近期累计 {gain:.1f} {unit}"
        en = f"{q.en}: tangent angle {e[ANGLE]:.1f} deg, velocity {v:.2f} {_plain(unit)}/d, recent gain {gain:.1f} {_plain(unit)}"
        if grade == 4:
            zh += f"；失稳规律明显优于非失稳模型（证据 {e[BROKEN]:.0f}），剩余 {e[P10]:.0f}–{e[P90]:.0f} 小时"
            en += f"; the failure law beats every rival (evidence {e[BROKEN]:.0f}), remaining {e[P10]:.0f}-{e[P90]:.0f} h"
        if grade == 0:
            zh, en = f"{zh}，已回落", f"{en}: fallen back"
        return zh, en

    def gates(self, grade: int, evidence: tuple[float, ...]) -> list[Gate]:
        """All gates up to red, in the order asked: "why not red"."""
        e = evidence
        q = BY_NUMBER[int(e[QUANTITY])]
        f, unit = q.shown_factor, q.shown_unit or q.unit
        ratio = e[V] / e[V0] if e[V0] > 0 else 0.0
        need = max(RED_SIGMAS * e[NOISE], RED_LEAST * e[LEAST])
        doubling = e[V] / e[V2] if e[V2] > 0 else 99.0
        ahead = min(e[VS] / e[V], AHEAD_MOST) if e[V] > 0 else 0.0
        passed = e[PHASE] + ahead - 1.0
        return [
            Gate("ratio", "速度 / 匀速速度", "Velocity over steady creep", ratio, RED_RATIO, ratio >= RED_RATIO, ""),
            Gate("angle", "切线角", "Tangent angle", e[ANGLE], RED_ANGLE, e[ANGLE] >= RED_ANGLE, "°"),
            Gate("noise", "速度 / 噪声速度", "Velocity over noise", e[V] / max(e[VN], 1e-30), 3.0, e[V] >= 3 * e[VN], ""),
            Gate("gain", "近期累计位移", "Recent gain", e[GAIN] * f, need * f, e[GAIN] >= need, unit),
            Gate("doubling", "速度 / 前一窗口速度", "Velocity over the window before", doubling, DOUBLING, doubling >= DOUBLING, ""),
            Gate("ahead", "短窗 / 长窗速度", "Short over long velocity", ahead, AHEAD_RED, ahead >= AHEAD_RED, ""),
            Gate("broken", "失稳规律优于折线", "Law over a broken line", e[BROKEN], OVER_BROKEN, e[BROKEN] >= OVER_BROKEN, ""),
            Gate("ramp", "失稳规律优于匀加速", "Law over constant acceleration", e[RAMP], OVER_RAMP, e[RAMP] >= OVER_RAMP, ""),
            Gate("passed", "加速阶段已过份额＋增速", "Share of the phase passed, plus speeding up", passed, PASSED, passed >= PASSED, ""),
        ]


def _plain(unit: str) -> str:
    return "deg" if unit == "°" else unit


def _interval_h(state: State, r: int) -> float:
    """Median step of the last readings, hours."""
    n = min(int(state["count"][r]), _tiers.RING)
    at = (int(state["count"][r]) - np.arange(n, 0, -1)) % _tiers.RING
    return float(np.median(np.diff(state["tier_s"][r, 0, at]))) / 3600.0 if n > 1 else 1.0
