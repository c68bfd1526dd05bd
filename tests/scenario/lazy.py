"""Names that are imported when first used: Django is set up by a fixture, after the test modules are read."""

from __future__ import annotations

import importlib
from typing import Any


class Lazy:
    """Stands for a module, or for one name in it."""

    def __init__(self, module: str, name: str = ""):
        self._module, self._name = module, name

    def _real(self) -> Any:
        module = importlib.import_module(self._module)
        return getattr(module, self._name) if self._name else module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real(), name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._real()(*args, **kwargs)
