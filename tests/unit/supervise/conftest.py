"""The small world for this room's tests: only respond and supervise hear events; the whole house is in tests/scenario."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest


@pytest.fixture
def world(db, monkeypatch):
    from small_world import World

    from anlan.engines import outbox
    from anlan.wire import load_services

    load_services()
    monkeypatch.setattr("anlan.respond.stage.PROMPT", timedelta(days=3650))  # these tests tell a night in June as it happens
    ours = ("anlan.respond.", "anlan.supervise.")
    kept = {t: {n: h for n, h in found.items() if n.startswith(ours)} for t, found in outbox._HANDLERS.items()}
    monkeypatch.setattr(outbox, "_HANDLERS", defaultdict(dict, kept))
    return World()
