"""The story's book: what has happened, as steps with time, id and cause; told as it is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Data = dict[str, Any]

# key of a step, (Chinese, English) title; the order in which a reader expects them
PLOT: tuple[tuple[str, str, str], ...] = (
    ("reading", "读数落盘，设备收到确认", "reading stored, device answered"),
    ("finding", "研判：切线角、速度增量、位移过关", "finding: tangent angle, velocity increment and displacement pass their gates"),
    ("forecast_reading", "预报所据读数", "the reading a failure window rests on"),
    ("forecast", "预报失稳时间窗", "failure window forecast"),
    ("first_warning", "首次预警签发", "first warning signed"),
    ("proposal", "形成预警建议，待人签发", "proposal waits for a signature"),
    ("siren_order", "常备指令：警报器即响", "standing order: the siren sounds"),
    ("siren_played", "警报器回执：在响", "siren's own receipt: sounding"),
    ("warning", "红色预警签发", "red warning signed"),
    ("notice", "发布到户到喇叭", "notices to loudspeakers, households and people"),
    ("speaker_receipt", "大喇叭回执：已播", "a loudspeaker's receipt: played"),
    ("household_confirmed", "住户确认", "a household confirms"),
    ("household_acted", "住户已转移", "a household has moved out"),
    ("incident", "突发事件立档", "incident opened"),
    ("task", "任务下达", "task sent"),
    ("call", "叫应第一责任人", "first responsible person called"),
    ("call_silent", "第一责任人超时未答", "no answer in time"),
    ("call_next", "改呼下一责任人", "the next is called"),
    ("call_answered", "下一责任人应答", "the next person answers"),
    ("task_done", "任务办结", "task done"),
    ("lifted", "预警解除", "warning lifted"),
    ("hazard", "隐患入账", "hidden danger on the books"),
    ("hazard_ordered", "责令整改", "rectification ordered"),
    ("hazard_rectified", "整改完成", "rectified"),
    ("hazard_rechecked", "他人复查合格", "re-checked by another person"),
    ("hazard_cancelled", "销号", "cancelled"),
    ("case", "沉默立案问责", "the silent call is a case"),
    ("case_decided", "问责处理", "case decided"),
    ("incident_closed", "事件结案", "incident closed with its review"),
    ("flood_reading", "易涝点读数", "a reading of the underpass"),
    ("flood_finding", "易涝点：水深过阈", "underpass: depth over its threshold"),
    ("flood_warning", "易涝点预警签发", "flood warning signed"),
)
TITLES = {key: (zh, en) for key, zh, en in PLOT}


@dataclass(slots=True)
class Book:
    """Steps written so far; `told` is called for each new one."""

    told: Callable[[dict[str, Any]], None] = lambda step: None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def write(self, key: str, at: str, record: str, cause: str | None, **facts: Any) -> None:
        """A step, once: key of the plot, time (ISO UTC), id of its record, id of the step record it came from."""
        if key in self.steps:
            return
        zh, en = TITLES[key]
        self.steps[key] = {"step": key, "at": at, "id": record, "cause": cause, "zh": zh, "en": en, **facts}
        self.told(self.steps[key])
        self._changed.set()

    def has(self, *keys: str) -> bool:
        """Whether all these steps are written."""
        return all(key in self.steps for key in keys)

    async def until(self, *keys: str, timeout_s: float) -> bool:
        """Wait for steps; False when the time is over first."""
        try:
            async with asyncio.timeout(timeout_s):
                while not self.has(*keys):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def ordered(self) -> list[dict[str, Any]]:
        """Steps in the order of their times."""
        return sorted(self.steps.values(), key=lambda s: (s["at"], [k for k, _, _ in PLOT].index(s["step"])))

    def missing(self) -> list[str]:
        """Steps of the plot that did not happen."""
        return [key for key, _, _ in PLOT if key not in self.steps]

    def broken(self) -> list[str]:
        """Steps whose cause is not the id of another step (links of the chain that do not hold)."""
        ids = {s["id"] for s in self.steps.values()}
        return [s["step"] for s in self.steps.values() if s["cause"] is not None and s["cause"] not in ids]
