"""Floods: road low points, culverts, reservoirs and rivers, judged by their signed depth and level thresholds."""

from __future__ import annotations

from ...base.grade import Grade
from .level import LevelRule


class FloodRule(LevelRule):
    """Water depth and level; rain at a flood point is heard too, but alone never above orange."""

    name = "flood"
    event_code = "11A02"
    category = "Met"
    words = ("内涝", "flooding")
    expires_h = 6.0
    instructions = {
        Grade.RED: (
            "立即封闭道路和地下空间，车辆人员不得进入；被困人员向高处转移等待救援。",
            "Close the road and underground space at once; nobody enters. Those trapped move up and wait for rescue.",
        ),
        Grade.ORANGE: ("绕行积水路段，地下车库停止进车，备好挡水板。", "Drive around; stop cars entering basements; set up flood boards."),
        Grade.YELLOW: ("注意积水，低洼处人员车辆提前转移。", "Mind standing water; move people and cars out of low places early."),
        Grade.BLUE: ("留意水位变化，清理排水口。", "Watch the water level and clear the drains."),
    }

    def hears(self, site_kind: str, hazard: str) -> int:
        """Flood findings anywhere; unnamed thresholds at water sites."""
        if hazard == "flood":
            return 10
        return 5 if site_kind in ("flood_point", "reservoir") and hazard == "other" else 0
