"""Devices: a silent or faulty sensor is no hazard to people; a place gone blind is worth a patrol.

One silent sensor is shown on the desk as silence and proposes nothing. When every station of a place is
silent nobody watches it any more: blue, at a key target yellow, never higher.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...base.grade import Grade
from ..contract import Assessment, Evidence, Gate, Outlook, Place, Rule


class DeviceRule(Rule):
    """Loss of sight of a place."""

    name = "device"
    event_code = "12Y00"
    category = "Infra"
    words = ("监测中断", "loss of monitoring")
    highest = Grade.YELLOW
    instructions = {
        Grade.YELLOW: ("派人现场巡查，恢复监测前保持人工值守。", "Send a patrol; keep a person on watch until monitoring is back."),
        Grade.BLUE: ("安排巡查并检修设备。", "Arrange a patrol and repair the devices."),
    }

    def hears(self, site_kind: str, hazard: str) -> int:
        """Device findings."""
        return 10 if hazard == "device" else 0

    def assess(self, evidence: Sequence[Evidence], outlook: Outlook | None, now_ms: int, place: Place) -> Assessment:
        """Blue or yellow when all stations are silent, else nothing."""
        silent = [f for f in evidence if f.grade > 0 and f.detector == "silence"]
        dark = {f.station for f in silent}
        blind = bool(dark) and len(dark) >= max(place.stations, 1)
        gate = Gate("全部测点失联", "All stations silent", f"{len(dark)}/{place.stations}", f"{place.stations}/{place.stations}", blind)
        name = place.name_en or place.name
        if not blind:
            return Assessment(Grade.CLEAR, f"{place.name} {len(dark)} 个测点无数据。", f"{name}: {len(dark)} stations silent.", (gate,))
        grade = Grade.YELLOW if place.key_target else Grade.BLUE
        zh, en = (
            f"{place.name}全部 {len(dark)} 个测点无数据，监测中断。",
            f"{name}: all {len(dark)} stations are silent; nobody watches it.",
        )
        return Assessment(grade, zh, en, (gate,), cause=tuple(f.id for f in silent))
