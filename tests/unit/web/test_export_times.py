"""The times that `anlan export` takes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from anlan.base.clock import SystemClock
from anlan.base.errors import FieldError
from anlan.web.commands.export import when


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T08:00:00Z", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23T08:00:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23T16:00:00+08:00", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("1795420800500", datetime(2026, 11, 23, 8, 0, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_fixed_times(text, expected):
    assert when("since", text) == expected


@pytest.mark.parametrize(("text", "ago"), [("90s", 90), ("10m", 600), ("-2h", 7200), ("7d", 604_800)])
def test_so_long_ago(text, ago):
    found = when("since", text)
    assert abs((SystemClock().now() - timedelta(seconds=ago) - found).total_seconds()) < 5


def test_nothing_is_no_limit():
    assert when("since", "") is None


@pytest.mark.parametrize("text", ["foo", "10 minutes", "179542080", "99999999d", "10w", "2026-13-01"])
def test_what_is_no_time_is_refused_with_the_forms(text):
    with pytest.raises(FieldError) as caught:
        when("since", text)
    assert "10m" in str(caught.value.en)
