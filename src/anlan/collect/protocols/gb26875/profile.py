"""Vendor profiles as data: what a make of device does otherwise than the standard, one JSON file each in `profiles/`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ....base.errors import FieldError
from .names import ANALOGS

Analog = tuple[str, str, float, str, str, float, float]


@dataclass(frozen=True)
class Profile:
    """Byte order of the serial, types whose unit has no object count, analogue types (the standard's and the maker's own)."""

    name: str
    serial_order: Literal["little", "big"]
    short_units: frozenset[int]
    analogs: dict[int, Analog]


@cache
def profile(name: str = "standard") -> Profile:
    """The profile of this name; FieldError lists what there is otherwise."""
    folder = files(__package__) / "profiles"
    known = sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))
    if name not in known:
        raise FieldError("profile", name, f"没有此厂家配置；可用：{'、'.join(known)}", f"no such profile; known: {', '.join(known)}")
    data: dict[str, Any] = json.loads((folder / f"{name}.json").read_text("utf-8"))
    own = {int(k): tuple(v) for k, v in data["analogs"].items()}
    return Profile(name, data["serial_order"], frozenset(data["short_units"]), {**ANALOGS, **own})  # type: ignore[dict-item]
