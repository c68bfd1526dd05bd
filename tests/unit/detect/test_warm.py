"""A worker that had to compile begins anew, once, so that the compiler's memory is given back."""

from __future__ import annotations

import os
import sys

import pytest
from numba import njit

from anlan.detect import warm


def compiles() -> None:
    njit(lambda x: x + 1)(1)


@pytest.mark.parametrize(("work", "before", "begins"), [(compiles, None, 1), (compiles, "1", 0), (lambda: None, None, 0)])
def test_begins_anew_only_after_compiling_and_only_once(monkeypatch, work, before, begins):
    begun: list[tuple[str, list[str]]] = []
    monkeypatch.delenv(warm.COMPILED, raising=False)
    if before:
        monkeypatch.setenv(warm.COMPILED, before)
    monkeypatch.setattr(warm, "warm", work)
    monkeypatch.setattr(os, "execv", lambda path, args: begun.append((path, args)))
    warm.ready()
    assert begun == [(sys.executable, sys.orig_argv)] * begins
    assert not begins or os.environ[warm.COMPILED]
