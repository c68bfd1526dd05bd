"""The role of a forecaster: a look-back window in, an honest interval or a reason for silence out.

Pure and deterministic: the same window gives the same answer on every machine. The worker calls
`forecasts(lookback)` on a tick for every series whose detector asks (`Detector.open_slots`, `Detector.lookback`)
and stores predictions that are not silent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from ..base.failure import Lookback
from ..base.plugin import scan


@dataclass(slots=True)
class Reason:
    """One gate that was asked: its words, value, limit, whether it let the forecast through."""

    name: str
    zh: str
    en: str
    value: float
    limit: float
    ok: bool


@dataclass(slots=True)
class Prediction:
    """A failure window (UTC ms) with 10, 50 and 90 % quantiles, or silence with the gates that stopped it.

    ``made_ms`` is the time of the newest sample used. ``evidence`` holds numbers (fit, share of windows, ensemble
    members); it is JSON-ready.
    """

    forecaster: str
    slot: int
    made_ms: int
    p10_ms: int | None = None
    p50_ms: int | None = None
    p90_ms: int | None = None
    reasons: list[Reason] = field(default_factory=list)
    evidence: dict[str, float] = field(default_factory=dict)
    zh: str = ""
    en: str = ""

    @property
    def silent(self) -> bool:
        """Whether no number is given."""
        return self.p50_ms is None


class Forecaster(ABC):
    """One way of forecasting; stateless."""

    name: str
    zh: str = ""
    en: str = ""

    @abstractmethod
    def predict(self, lookback: Lookback) -> Prediction:
        """The forecast of this window, or silence with reasons; never raises for odd data."""


def forecasts(lookback: Lookback) -> list[Prediction]:
    """What every forecaster found says of the window, in order of name."""
    return [found.predict(lookback) for _, found in sorted(_found().items())]


def _found() -> dict[str, Forecaster]:
    if not _CACHE:
        _CACHE.update(scan("anlan.forecast.forecasters", Forecaster))  # type: ignore[type-abstract]
    return _CACHE


_CACHE: dict[str, Forecaster] = {}
