"""Wire 组装: the only place where rooms are joined into processes.

`stack` lists the processes of an installation, `desk` is the process of handlers and timers, `prepare`
makes a new installation usable; `commands` are the verbs ``up``, ``desk`` and ``prepare``.

The order of the stages, once: collect → detect → forecast → issue → notify → respond → supervise.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

ROOMS = ("register", "collect", "detect", "forecast", "issue", "notify", "respond", "supervise")


def load_services() -> None:
    """Import every room's ``service`` module, so that its event handlers and reconcilers are subscribed."""
    for room in ROOMS:
        if importlib.util.find_spec(f"anlan.{room}.service"):
            importlib.import_module(f"anlan.{room}.service")


def forecasts(lookback: Any) -> list[Any]:
    """What every forecaster says of a look-back window: handed to the worker, because detect does not import forecast."""
    from ..forecast.contract import forecasts as found

    return list(found(lookback))
