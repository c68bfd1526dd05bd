"""The plug-in scan: every module or package of a folder is looked at, no list is kept.

A room says ``found = scan("anlan.detect.detectors", Detector)`` and gets one instance of
every concrete class with that role, keyed by its ``name``. Third parties add the same by an
entry point of the group ``anlan.<room>.<folder>``. A plug-in that cannot be imported stops
the start with its file's name: a silently missing detector would be false silence.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from importlib.metadata import entry_points
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def modules(package: str) -> Iterator[ModuleType]:
    """Import and yield every direct module or sub-package of `package` (names without ``_``)."""
    folder = importlib.import_module(package)
    for info in sorted(pkgutil.iter_modules(folder.__path__), key=lambda i: i.name):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"{package}.{info.name}")


def scan(package: str, role: type[T]) -> dict[str, T]:
    """One instance of every concrete subclass of `role` in `package`, keyed by ``name``."""
    found: dict[str, T] = {}
    candidates = list(modules(package))
    candidates += [ep.load() for ep in entry_points(group=package)]
    for module in candidates:
        members = vars(module).values() if isinstance(module, ModuleType) else [module]
        for member in members:
            if (
                inspect.isclass(member)
                and issubclass(member, role)
                and not inspect.isabstract(member)
                and member is not role
                and (not isinstance(module, ModuleType) or member.__module__.startswith(module.__name__))
            ):
                plugin = member()
                name = str(getattr(plugin, "name", member.__name__))
                if name in found and type(found[name]) is not member:
                    raise ValueError(f"two plug-ins named {name!r} in {package}")
                found[name] = plugin
    return found
