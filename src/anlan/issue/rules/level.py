"""Hazards judged by signed thresholds alone: the worst standing finding, held below red while its data are suspect.

The thresholds themselves carry their source clause (`register.Threshold.source`); this file adds none.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...base.grade import Grade
from ..contract import Assessment, Evidence, Gate, Outlook, Place, Rule


class LevelRule(Rule):
    """Worst finding wins; suspect data never red; never above `highest`. Fits any hazard, worse than a named rule."""

    name = "other"
    instructions = {
        Grade.RED: ("立即离开危险区域，听从现场人员指挥。", "Leave the danger area at once and follow the people on site."),
        Grade.ORANGE: ("远离危险区域，做好撤离准备。", "Keep away from the danger area and be ready to leave."),
        Grade.YELLOW: ("加强巡查和值守。", "Patrol and watch more closely."),
        Grade.BLUE: ("留意变化，发现异常立即报告。", "Watch for changes and report anything unusual."),
    }

    def hears(self, site_kind: str, hazard: str) -> int:
        """Anything, as the last resort."""
        return 1

    def assess(self, evidence: Sequence[Evidence], outlook: Outlook | None, now_ms: int, place: Place) -> Assessment:
        """The worst standing grade within the gates."""
        standing = sorted((f for f in evidence if f.grade > 0), key=lambda f: (-f.grade, -f.at_ms, f.id))
        if not standing:
            return Assessment(Grade.CLEAR, f"{place.name}已回落。", f"{place.name_en or place.name}: back to normal.")
        sound = [f for f in standing if not f.suspect]
        grade = Grade(min(standing[0].grade, self.highest))
        best = max((f.grade for f in sound), default=0)
        gates = [Gate("红色不得只凭可疑数据", "Red not on suspect data alone", f"{len(sound)}/{len(standing)}", "≥ 1", bool(sound))]
        if grade == Grade.RED and best < Grade.RED:
            grade = Grade.ORANGE
            gates[0] = Gate(gates[0].zh, gates[0].en, gates[0].value, gates[0].limit, False)
        if standing[0].grade > self.highest:
            zh, en = f"{self.words[0]}最高为{self.highest.zh}", f"{self.words[1].capitalize()}: {self.highest.word} at most"
            gates.append(Gate(zh, en, Grade(standing[0].grade).zh, self.highest.zh, False))
        lead = standing[0]
        figures: tuple[dict[str, object], ...] = ()
        if isinstance(lead.facts.get("value"), int | float):
            figures = ({"zh": lead.station_name, "en": lead.station_name_en or lead.station_name, **_figure(lead)},)
        return Assessment(grade, lead.zh, lead.en, tuple(gates), figures, tuple(f.id for f in standing))


def _figure(lead: Evidence) -> dict[str, object]:
    from ...base.quantity import BY_NAME

    known = BY_NAME.get(lead.quantity)
    factor, unit = (known.shown_factor, known.shown_unit or known.unit) if known else (1.0, "")
    return {"value": round(float(lead.facts["value"]) * factor, 2), "unit": unit, "at_ms": lead.at_ms}
