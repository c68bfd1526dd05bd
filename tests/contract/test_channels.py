"""Every channel found keeps its promises: names, words, no exception for a fault of the world, no secrets in errors."""

from datetime import UTC, datetime, timedelta

import pytest

from anlan.base.plugin import scan
from anlan.notify.contract import Channel, Hands, Message

FOUND = scan("anlan.notify.channels", Channel)


@pytest.fixture(params=sorted(FOUND))
def channel(request):
    return FOUND[request.param]


def message(n=1, address="a@example.org"):
    return Message(
        f"note-{n}", "person-1", "p", address, "题", "文", "issue", 4, False, "warn-1", datetime.now(UTC) + timedelta(hours=1), ("warn-1",)
    )


def test_it_has_words_and_a_bounded_number_of_attempts(channel):
    assert channel.zh and channel.en and channel.serves and len(channel.waits_s) <= 10
    assert all(a <= b for a, b in zip(channel.waits_s, channel.waits_s[1:], strict=False)), "back-off"
    assert channel.address_of({}) == ""


def test_one_outcome_for_each_message_and_no_secret_in_words(channel, monkeypatch):
    monkeypatch.setenv("ANLAN_SMTP_URL", "smtp://user:hunter2@127.0.0.1:9")
    sent = []
    hands = Hands(lambda device, action, payload, cause: sent.append((device, action)) or "cmd-1")
    outcomes = channel.deliver([message(1), message(2, "not an address"), message(3, "")], hands)
    assert len(outcomes) == 3
    for outcome in outcomes:
        assert outcome.state in ("taken", "failed")
        assert "hunter2" not in outcome.zh + outcome.en
        if outcome.state == "failed":
            assert outcome.zh and outcome.en


def test_broadcast_never_serves_persons(channel):
    assert not (channel.broadcast and {"person", "household"} & set(channel.serves))
