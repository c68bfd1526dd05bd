"""Device secrets, and log-ins without a database."""

from __future__ import annotations

import asyncio
import time

import orjson
import pytest

from anlan.collect import logins as module
from anlan.collect.directory import Device, Directory
from anlan.collect.logins import Logins
from anlan.register.credentials import check_secret, hash_secret, make_secret


def test_a_secret_is_right_or_wrong():
    secret = make_secret()
    kept = hash_secret(secret)
    assert kept.startswith("scrypt$512$8$1$") and secret not in kept
    assert check_secret(secret, kept) and check_secret(secret.encode(), kept)
    assert not check_secret(secret + "x", kept) and not check_secret("", kept)
    assert hash_secret(secret) != kept and make_secret() != secret


def test_golden_hash():
    kept = hash_secret("安澜", n=16, salt=b"0123456789ab")
    assert kept == "scrypt$16$8$1$MDEyMzQ1Njc4OWFi$" + kept.rsplit("$", 1)[1] and check_secret("安澜", kept)


@pytest.mark.parametrize(
    "kept", ["", "plain", "scrypt$1$8$1$YQ==$YQ==", "scrypt$16$8$1$YQ==$", "scrypt$999999999$8$1$YQ==$YQ==", "md5$a$b$c$d$e"]
)
def test_nonsense_in_the_register_lets_nobody_in(kept):
    assert not check_secret("x", kept)


def directory(**devices: str) -> Directory:
    made = Directory("postgresql:///none", 2)
    made.loaded = True
    for name, secret in devices.items():
        record = [f"device-{name}", "user", hash_secret(secret, n=16), "sensor", "44", name != "off", "mqtt", []]
        made.records[name] = orjson.dumps(record)
    made._unknown.update({f"nobody-{i}": time.monotonic() + 1000 for i in range(1000)})
    return made


def test_the_hash_runs_once_until_the_secret_changes():
    async def story() -> None:
        known = directory(a="s1")
        logins = Logins(known)
        for _ in range(50):
            assert (await logins.check("a", "user", b"s1", "x")).device is not None
        assert logins.hashed == 1
        assert (await logins.check("a", "user", b"s2", "x")).reason == "wrong secret"
        assert (await logins.check("a", "other", b"s1", "x")).reason == "wrong user name"
        device = known.get("a")
        record = orjson.loads(device.record)
        record[2] = hash_secret("s2", n=16)
        device.renew(orjson.dumps(record), 2)
        assert (await logins.check("a", "user", b"s1", "x")).device is None
        assert (await logins.check("a", "user", b"s2", "x")).device is device

    asyncio.run(story())


def test_failures_are_limited_per_client_and_address_and_never_lock_out_a_known_device():
    async def story() -> None:
        logins = Logins(directory(a="s1", b="s2", off="s"))
        assert (await logins.check("a", "user", b"s1", "x")).device is not None
        for _ in range(module.PER_CLIENT):
            assert not (await logins.check("a", "user", b"bad", "x")).limited
        assert (await logins.check("a", "user", b"bad", "x")).limited
        assert (await logins.check("a", "user", b"s1", "x")).device is not None
        assert not (await logins.check("a", "user", b"bad", "y")).limited
        assert (await logins.check("off", "user", b"s", "x")).reason == "device disabled"
        for i in range(module.PER_ADDRESS):
            await logins.check(f"nobody-{i}", "user", b"bad", "z")
        assert (await logins.check("b", "user", b"s2", "z")).limited
        assert (await logins.check("b", "user", b"s2", "y")).device is not None

    asyncio.run(story())


def test_feeds_scale_to_si_and_a_wrong_unit_is_known():
    record = [
        "id",
        "u",
        "h",
        "sensor",
        "44",
        True,
        "mqtt",
        [["d", "mm", 5, 1, 3], ["T", "Cel", 6, 11, 4], ["x", "kg", 7, 1, 0], ["y", "", 8, 999, 0]],
    ]
    device = Device("a", orjson.dumps(record), 2)
    assert device.feeds == {"d": (1, 5, 1, 1e-3, 0), "T": (0, 6, 11, 1, 273.15)} and device.wrong_units == {"x", "y"}
