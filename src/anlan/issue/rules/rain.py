"""Rainstorm warnings of rain sites, by their signed accumulations (1/3/6/12/24 h)."""

from __future__ import annotations

from ...base.grade import Grade
from .level import LevelRule


class RainRule(LevelRule):
    """Rain at a place that is not a slope (a slope hears rain by its own rule)."""

    name = "rain"
    event_code = "11B03"
    category = "Met"
    words = ("暴雨", "rainstorm")
    expires_h = 6.0
    area_digits = 9  # rain does not end at a community's border: the gauge's street is warned (our default)
    instructions = {
        Grade.RED: ("停止户外活动和作业，危险地带人员立即转移。", "Stop all outdoor activity and work; leave dangerous places at once."),
        Grade.ORANGE: ("停止户外作业，转移危险地带人员。", "Stop outdoor work; move people out of dangerous places."),
        Grade.YELLOW: ("减少外出，避开低洼和边坡。", "Go out less; keep away from low ground and slopes."),
        Grade.BLUE: ("注意降雨变化。", "Watch the rain."),
    }

    def hears(self, site_kind: str, hazard: str) -> int:
        """Rain findings."""
        return 6 if hazard == "rain" else 0
