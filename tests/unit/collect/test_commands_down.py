"""Commands down: sent at commit, again until acknowledged, with the session's rules; replies are facts."""

from __future__ import annotations

import json
import time

import pytest
from django.utils import timezone

from anlan.base.errors import FieldError

from .gateway_kit import HOUR, letters, subscribe, until

pytestmark = pytest.mark.stack


def order(device, action="play", after=HOUR, **payload):
    from anlan.collect.service import command
    from anlan.register.models import Device

    return command(Device.objects.get(pk=device["id"]), action, payload, timezone.now() + after)


def heard(packet) -> tuple[dict, int, bool]:
    """Message, packet identifier, DUP of a PUBLISH downwards."""
    head, body = packet
    assert head & 0xF7 == 0x32, hex(head)
    n = int.from_bytes(body[:2], "big")
    return json.loads(body[n + 4 :]), int.from_bytes(body[n + 2 : n + 4], "big"), bool(head & 8)


def listen(house, device, clean=True):
    client = house.client()
    present, code = client.connect(device, clean=clean)
    assert code == 0
    client.send(subscribe(f"down/{device['client_id']}"))
    return client, present


def state(house, row) -> str:
    return house.rows("select state from collect_devicecommand where id = %s", row.id)[0][0]


def test_a_command_is_there_within_milliseconds_and_its_life_is_kept(house):
    device = house.device("siren")
    client, _ = listen(house, device)
    assert client.receive()[0] == 0x90
    row = order(device, "siren_on", tone="red")
    start = time.monotonic()
    said, pid, dup = heard(client.receive())
    took = time.monotonic() - start
    assert (said["id"], said["action"], said["tone"], dup) == (row.id, "siren_on", "red", False) and pid > 0
    assert said["expires_ms"] > time.time() * 1000 and took < 0.5
    assert state(house, row) == "sent"
    client.send(b"\x40\x02" + pid.to_bytes(2, "big"))
    assert until(lambda: state(house, row) == "acknowledged")
    for n, word in enumerate(("playing", "done"), 1):
        client.publish(f"reply/{device['client_id']}", {"id": row.id, "state": word, "volume": 7}, pid=n)
        assert client.receive() == (0x40, bytes((0, n)))
    assert state(house, row) == "done"
    events = house.rows("select type, payload ->> 'state' from engines_outbox where subject = %s order by id", row.id)
    assert events == [
        ("collect.command.acknowledged", "acknowledged"),
        ("collect.command.replied", "playing"),
        ("collect.command.replied", "done"),
    ]
    client.close()


def test_what_was_not_acknowledged_comes_again_as_a_repeat_in_a_kept_session(house):
    device = house.device("siren")
    client, _ = listen(house, device, clean=False)
    client.receive()
    row = order(device)
    _, pid, _ = heard(client.receive())
    client.close()
    waiting = order(device, "stop")
    again = house.client()
    assert again.connect(device, clean=False) == (1, 0)
    got = [heard(again.receive()) for _ in range(2)]
    assert got[0][1:] == (pid, True) and got[0][0]["id"] == row.id  # 4.4.0-1, 3.3.1-1
    assert got[1][0]["id"] == waiting.id and not got[1][2]
    for _, p, _ in got:
        again.send(b"\x40\x02" + p.to_bytes(2, "big"))
    assert until(lambda: state(house, row) == state(house, waiting) == "acknowledged")
    again.close()
    third = house.client()
    assert third.connect(device, clean=False) == (1, 0)
    assert third.silent()
    third.close()


def test_a_clean_session_hears_it_as_new(house):
    device = house.device("siren")
    client, _ = listen(house, device)
    client.receive()
    row = order(device)
    _, pid, _ = heard(client.receive())
    client.close()
    client, present = listen(house, device)
    assert present == 0
    packets = [client.receive(), client.receive()]
    [said] = [heard(p) for p in packets if p[0] != 0x90]
    assert said[0]["id"] == row.id and not said[2] and said[1] != pid
    client.close()


def test_commands_wait_for_an_absent_device_and_expire(house):
    from datetime import timedelta

    from anlan.collect.service import cancel

    device = house.device("siren")
    kept, gone, taken_back = order(device, "play"), order(device, "late", timedelta(seconds=0.2)), order(device, "oops")
    assert cancel(taken_back)
    time.sleep(0.3)
    client, _ = listen(house, device)
    assert client.receive()[0] == 0x90
    said, _, _ = heard(client.receive())
    assert said["id"] == kept.id and client.silent()
    assert not cancel(kept)
    assert until(lambda: state(house, gone) == "expired", 8)
    assert house.rows("select 1 from engines_outbox where key = %s", f"collect.command.expired:{gone.id}")
    client.close()


def test_a_subscription_at_qos0_gets_it_once(house):
    device = house.device("siren")
    client = house.client()
    client.connect(device, clean=False)
    client.send(subscribe(f"down/{device['client_id']}", 0))
    assert client.receive() == (0x90, b"\0\7\0")
    order(device)
    assert client.receive()[0] == 0x30
    client.close()
    client = house.client()
    assert client.connect(device, clean=False) == (1, 0)
    assert client.silent()
    client.send(b"\xa2" + bytes((4 + len(device["client_id"]) + 5,)) + b"\0\5" + subscribe(f"down/{device['client_id']}")[4:-1])
    assert client.receive() == (0xB0, b"\0\5")  # 3.10.4-4
    order(device)
    assert client.silent()  # 3.10.4-2
    client.close()


def test_replies_that_fit_nothing_are_kept_and_answered(house):
    device, other = house.device("siren"), house.device("siren")
    row = order(other)
    client, _ = listen(house, device)
    client.receive()
    bodies = [b"{", {"id": "cmd-none", "state": "done"}, {"id": row.id, "state": "done"}, {"id": row.id}]
    bodies += [{"id": row.id, "state": "done", "x": "a\0b"}, {"id": row.id, "state": "done", "x": "a\\u0000b"}]
    for pid, body in enumerate(bodies, 1):
        client.publish(f"reply/{device['client_id']}", body, pid=pid)
        assert client.receive() == (0x40, bytes((0, pid)))
    assert {(c, n) for c, d, n in letters(house.database) if d == device["client_id"]} == {
        ("collect.bad_reply", 4),
        ("collect.unknown_command", 2),
    }
    assert state(house, row) == "waiting"
    client.close()


def test_commands_that_cannot_be_carried_are_refused(house):
    from anlan.collect.service import command
    from anlan.register.models import Device

    device = Device.objects.first()
    for action, payload, expires in (("", {}, timezone.now()), ("play", {}, None), ("play", {"x": "y" * 300_000}, timezone.now())):
        with pytest.raises(FieldError):
            command(device, action, payload, expires)
