"""Slopes: red only when angle, increment and a second witness agree; rain alone never above yellow.

Levels of the improved tangent angle: 45° blue, early acceleration yellow, 80° orange, 85° red (Xu Qiang and
others, table 1 of doi 10.1186/s13638-021-02033-y). A detector that has shown the failure law against every rival
(its gates ``broken`` and ``ramp``) may pass with its own, lower angle gate. That red needs a rising velocity and a second
sensor or a failure window below 24 h is our default, as is "rain alone never above yellow" (640 of 768
alert events of one national system had a rain trigger, and 1.2 % were followed by an event).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...base.grade import Grade
from ..contract import Assessment, Evidence, Gate, Outlook, Place, Rule

ANGLE_RED_DEG = 85.0
WINDOW_H = 24.0
FRESH_MS = 24 * 3_600_000  # a forecast older than its own window limit says nothing of now
RAIN_CAP = Grade.YELLOW
_ANGLE = ("tangent_angle_deg", "angle_deg", "tangent_angle")
_INCREMENT = ("velocity_increment", "increment", "dv")
_VELOCITY = ("velocity_m_per_h",)


def number(facts: dict[str, object], names: Sequence[str]) -> float | None:
    """The first of these facts that is a finite number; a name also matches with a unit behind it (``dv_m_per_h``)."""
    for name in names:
        for key, value in facts.items():
            if (key == name or key.startswith(f"{name}_")) and isinstance(value, int | float) and math.isfinite(value):
                return float(value)
    return None


def _own_gates(finding: Evidence) -> dict[str, bool]:
    """The gates that the detector itself asked, by name."""
    gates = finding.facts.get("gates") or []
    return {str(g.get("name", "")): bool(g.get("ok")) for g in gates if isinstance(g, dict)}


def _rises(finding: Evidence) -> bool:
    """Whether the velocity is above that of the window before (or a positive increment is given)."""
    velocity, before = number(finding.facts, _VELOCITY), number(finding.facts, ("velocity_before_m_per_h",))
    if velocity is not None and before is not None:
        return velocity > before
    increment = number(finding.facts, _INCREMENT)
    return increment is not None and increment > 0


def _steep(finding: Evidence) -> bool:
    """Whether the angle is red: 85 degrees, or the detector's own limit with the failure law shown."""
    angle = number(finding.facts, _ANGLE)
    own = _own_gates(finding)
    law = own.get("broken", False) and own.get("ramp", False)
    return angle is not None and (angle >= ANGLE_RED_DEG or (law and own.get("angle", False)))


def _window_h(finding: Evidence) -> float | None:
    """Width of the failure window in hours that the finding itself carries."""
    low, high = number(finding.facts, ("remaining_p10_h",)), number(finding.facts, ("remaining_p90_h",))
    return high - low if low is not None and high is not None and high > 0 else None


def _shown(value: float | None, unit: str, digits: int = 1) -> str:
    return "—" if value is None else f"{value:.{digits}f} {unit}".strip()


class SlopeRule(Rule):
    """Fusion for slopes: displacement, crack, tilt and GNSS with rain as a modifier."""

    name = "slope"
    event_code = "11D01"
    category = "Geo"
    words = ("滑坡", "landslide")
    instructions = {
        Grade.RED: (
            "立即撤离到安全点，不要返回取物；远离坡脚和沟口，听从现场人员指挥。",
            "Leave at once for the safe place; do not go back. Keep away from the foot of the slope.",
        ),
        Grade.ORANGE: (
            "做好随时撤离的准备，老人儿童和行动不便者先转移；不要在坡脚停留。",
            "Be ready to leave; move the elderly, children and the frail first. Do not stay at the foot of the slope.",
        ),
        Grade.YELLOW: (
            "加强巡查，留意新裂缝和落石，夜间有人值守。",
            "Patrol more often, watch for new cracks and falling stones, keep someone awake at night.",
        ),
        Grade.BLUE: ("留意坡体变化，发现异常立即报告网格员。", "Watch the slope; report anything unusual to the grid inspector."),
    }

    def hears(self, site_kind: str, hazard: str) -> int:
        """Slope findings anywhere; at slopes also rain and unnamed thresholds."""
        if hazard == "slope":
            return 10
        return 8 if site_kind == "slope" and hazard in ("rain", "other", "tilt", "soil") else 0

    def assess(self, evidence: Sequence[Evidence], outlook: Outlook | None, now_ms: int, place: Place) -> Assessment:
        """The grade by the gates; the sentence names what moved and what holds red back."""
        standing = [f for f in evidence if f.grade > 0]
        motion = sorted((f for f in standing if f.hazard != "rain"), key=lambda f: (-f.grade, -f.at_ms, f.id))
        rain = sorted((f for f in standing if f.hazard == "rain"), key=lambda f: (-f.grade, -f.at_ms, f.id))
        if not motion:
            if not rain:
                return Assessment(
                    Grade.CLEAR, f"{place.name}各测点已回落。", f"{place.name_en or place.name}: all stations are back to normal."
                )
            grade = Grade(min(rain[0].grade, RAIN_CAP))
            gate = Gate("只有雨量时最高为黄", "Rain alone: yellow at most", Grade(rain[0].grade).zh, RAIN_CAP.zh, rain[0].grade <= RAIN_CAP)
            return Assessment(grade, rain[0].zh, rain[0].en, (gate,), cause=tuple(f.id for f in rain))
        fresh = outlook if outlook and now_ms - outlook.made_ms <= FRESH_MS and outlook.p90_ms > now_ms else None
        gates = self._gates(motion, fresh)
        grade = self._grade(motion, gates)
        cause = [f.id for f in motion] + [f.id for f in rain] + ([fresh.id] if fresh else [])
        zh, en = self._sentence(motion, rain, fresh)
        return Assessment(grade, zh, en, gates, self._figures(motion[0], fresh), tuple(cause))

    def _grade(self, motion: list[Evidence], gates: tuple[Gate, ...]) -> Grade:
        worst = Grade(motion[0].grade)
        if worst < Grade.RED:
            return worst
        angle, rising, witness, quality = (g.ok for g in gates)
        return Grade.RED if angle and rising and witness and quality else Grade.ORANGE

    def _gates(self, motion: list[Evidence], outlook: Outlook | None) -> tuple[Gate, ...]:
        lead = max(motion, key=lambda f: (_steep(f), f.grade, _rises(f), not f.suspect, f.at_ms))
        top = max((a for a in (number(f.facts, _ANGLE) for f in motion) if a is not None), default=None)
        others = {f.station for f in motion if f.grade >= Grade.ORANGE and f.station != lead.station and not f.suspect}
        widths = [w for w in ((outlook.window_h if outlook else None), _window_h(lead)) if w is not None]
        window = min(widths, default=None)
        narrow = window is not None and window < WINDOW_H
        return (
            Gate(
                "切线角（或失稳规律成立）",
                "Tangent angle (or failure law shown)",
                _shown(top, "°"),
                f"≥ {ANGLE_RED_DEG:.0f} °",
                _steep(lead),
            ),
            Gate("速度增量为正", "Velocity rising", "是" if _rises(lead) else "否", "> 0", _rises(lead)),
            Gate(
                "第二测点或失稳窗 < 24 h",
                "Second sensor, or failure window < 24 h",
                f"{len(others)} / {_shown(window, 'h')}",
                f"≥ 1 / < {WINDOW_H:.0f} h",
                bool(others) or narrow,
            ),
            Gate("数据质量良好", "Data not suspect", "可疑" if lead.suspect else "良好", "良好", not lead.suspect),
        )

    def _figures(self, lead: Evidence, outlook: Outlook | None) -> tuple[dict[str, object], ...]:
        rows: list[dict[str, object]] = []
        angle, velocity = number(lead.facts, _ANGLE), number(lead.facts, _VELOCITY)
        if velocity is not None:
            rows.append({"zh": "速度", "en": "Velocity", "value": round(velocity * 1e3, 2), "unit": "mm/h", "at_ms": lead.at_ms})
        if angle is not None:
            rows.append({"zh": "切线角", "en": "Tangent angle", "value": round(angle, 1), "unit": "°", "at_ms": lead.at_ms})
        if outlook:
            rows.append(
                {"zh": "失稳窗", "en": "Failure window", "p10_ms": outlook.p10_ms, "p90_ms": outlook.p90_ms, "at_ms": outlook.made_ms}
            )
        return tuple(rows)

    def _sentence(self, motion: list[Evidence], rain: list[Evidence], outlook: Outlook | None) -> tuple[str, str]:
        names = list(dict.fromkeys(f.station_name for f in motion))
        many_zh = f"{'、'.join(names[:3])}同时加速；" if len(names) > 1 else ""
        many_en = f"{len(names)} stations accelerate together; " if len(names) > 1 else ""
        zh, en = many_zh + motion[0].zh.rstrip("。"), many_en + motion[0].en.rstrip(".")
        if rain:
            zh, en = f"{zh}；{rain[0].zh.rstrip('。')}", f"{en}; {rain[0].en.rstrip('.')}"
        if outlook:
            from ...base.clock import beijing, from_ms

            start, end = beijing(from_ms(outlook.p10_ms))[5:16], beijing(from_ms(outlook.p90_ms))[5:16]
            zh, en = f"{zh}；预计 {start} 至 {end} 失稳", f"{en}; failure expected {start} to {end}"
        return f"{zh}。", f"{en}."
