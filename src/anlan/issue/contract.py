"""The roles of issue's plug-ins: a `Rule` fuses evidence for one hazard, a `Format` reads, checks and writes alerts.

A rule is pure: it is given the current findings of a place, the newest forecast and the time, and
answers with a proposed grade, the gates that led to it, one sentence and the minutes to decide. It
never lowers anything by itself: what happens to an open proposal is `issue.stage`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..base.grade import Grade

Level = Literal["error", "warning", "advice"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One finding that now stands: the newest of its (station, quantity, detector); `at_ms` UTC."""

    id: str
    station: str
    station_name: str
    quantity: str
    detector: str
    hazard: str
    grade: int
    at_ms: int
    facts: dict[str, Any] = field(default_factory=dict)
    zh: str = ""
    en: str = ""
    station_name_en: str = ""

    @property
    def suspect(self) -> bool:
        """Whether the readings under it were of suspect quality (any such share above zero)."""
        return any(bool(self.facts.get(key)) for key in ("suspect", "suspect_share", "quality_suspect"))


@dataclass(frozen=True, slots=True)
class Outlook:
    """The newest forecast of a place: when it fails, as p10/p50/p90 (UTC ms)."""

    id: str
    made_ms: int
    p10_ms: int
    p50_ms: int
    p90_ms: int

    @property
    def window_h(self) -> float:
        """Width of p10-p90 in hours."""
        return (self.p90_ms - self.p10_ms) / 3_600_000


@dataclass(frozen=True, slots=True)
class Place:
    """The watched place that a rule judges; `stations` is how many enabled stations it has."""

    id: str
    name: str
    name_en: str
    kind: str
    division_code: str
    stations: int = 1
    key_target: bool = False


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on the way to the next grade: its words, its value now, its limit, whether it is passed."""

    zh: str
    en: str
    value: str
    limit: str
    ok: bool

    def as_dict(self) -> dict[str, object]:
        """JSON-ready form, as in the API."""
        return {"zh": self.zh, "en": self.en, "value": self.value, "limit": self.limit, "ok": self.ok}


@dataclass(frozen=True, slots=True)
class Assessment:
    """What a rule makes of the evidence; `cause` are the ids it rests on, `figures` the numbers to show."""

    grade: Grade
    zh: str
    en: str
    gates: tuple[Gate, ...] = ()
    figures: tuple[dict[str, object], ...] = ()
    cause: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes until a decision is due for one grade, with the source of the figure."""

    minutes: int
    source: str


_DRILL = "county duty practice; setting of the installation, to be confirmed by the bureau"
DECIDE_BY: dict[Grade, Minutes] = {
    Grade.RED: Minutes(10, "a red warning needs call-back within 10 minutes (our default, slope reference 2.5)"),
    Grade.ORANGE: Minutes(30, "Hunan '631': call-and-answer 1 h before, second call at half an hour"),
    Grade.YELLOW: Minutes(60, "Hunan '631': one hour for call-and-answer"),
    Grade.BLUE: Minutes(180, "Hunan '631': three hours for a warning"),
}


class Rule(ABC):
    """Fusion for one hazard. `name` is stable; `event_code` is the national code of the warned event.

    ``words`` (zh, en) name the event in titles; ``category`` is the CAP category; ``instructions``
    hold, for each grade, what people are told to do (zh, en); ``expires_h`` the usual validity in hours.
    """

    name: str
    event_code: str = "11Y00"
    category: str = "Other"
    words: tuple[str, str] = ("险情", "hazard")
    instructions: dict[Grade, tuple[str, str]] = {}
    expires_h: float = 12.0
    highest: Grade = Grade.RED
    area_digits: int = 12  # of the division code: how wide a warning reaches that has no outline (12 community, 9 street)

    @abstractmethod
    def hears(self, site_kind: str, hazard: str) -> int:
        """How well the rule fits findings of `hazard` at a site of this kind: 0 not at all, larger is better."""

    @abstractmethod
    def assess(self, evidence: Sequence[Evidence], outlook: Outlook | None, now_ms: int, place: Place) -> Assessment:
        """The grade that this evidence supports now."""


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One thing a checker found: rule number (R01, N04, XSD, SIG …), level, sentence in both languages."""

    rule: str
    level: Level
    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        """JSON-ready form."""
        return {"rule": self.rule, "level": self.level, "zh": self.zh, "en": self.en}


@dataclass(frozen=True, slots=True)
class AlertDraft:
    """One outgoing alert, independent of any format. Times are aware datetimes; area is WGS-84.

    ``polygons`` are closed rings of (lon, lat); ``references`` are (sender, identifier, sent) of earlier
    versions; ``geocodes`` are division codes; texts exist in Chinese and English.
    """

    identifier: str
    sender: str
    sent: Any
    status: str
    msg_type: str
    event_code: str
    category: str
    grade: Grade
    words: tuple[str, str]
    headline: tuple[str, str]
    description: tuple[str, str]
    instruction: tuple[str, str]
    effective: Any
    expires: Any
    area_name: tuple[str, str]
    geocodes: tuple[str, ...] = ()
    polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    references: tuple[tuple[str, str, Any], ...] = ()
    note: str = ""
    sender_name: tuple[str, str] = ("", "")
    incidents: tuple[str, ...] = ()
    automatic: str = ""  # id of the standing order under which the machine issued it


class Format(ABC):
    """One alert format. `name` is stable; `namespaces` are the XML namespaces it answers for."""

    name: str
    namespaces: tuple[str, ...] = ()

    @abstractmethod
    def check(self, data: bytes, *, outgoing: bool = False) -> list[CheckFinding]:
        """Everything found in the message; any ``error`` makes it invalid. Never touches network or files."""

    @abstractmethod
    def write(self, alert: AlertDraft) -> bytes:
        """The alert in this format, UTF-8; raises FieldError when it would not pass its own check."""
