"""The small world for this room's tests."""

from __future__ import annotations

import pytest


@pytest.fixture
def world(db):
    from small_world import World

    from anlan.wire import load_services

    load_services()
    return World()
