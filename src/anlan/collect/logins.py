"""Log-ins of devices: checked against the register, cheap for a reconnect storm, slow for a guesser.

A credential that was right once is remembered as a keyed digest (the key lives in this process
only), so that the costly hash runs once per device and secret. Failures are counted per address
and per client id *from that address*: a stranger cannot lock a device out.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ..register.credentials import check_secret
from .directory import Device, Directory

PER_CLIENT, PER_ADDRESS, WINDOW_S = 10, 200, 60.0  # failed log-ins in a window; many devices may share one address
MOST_KEPT = 200_000


@dataclass(slots=True)
class Login:
    """The outcome: the device, or why not (`reason` is for the operator, never for the caller)."""

    device: Device | None = None
    reason: str = ""
    limited: bool = False


class Logins:
    """Checks credentials; `failed` and `passed` are counters for the metrics."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}
        self._failures: dict[str, list[float]] = {}
        self._pool = ThreadPoolExecutor(1, "logins")
        self.passed = self.failed = self.hashed = 0

    async def check(self, client_id: str, username: str | None, secret: bytes, address: str) -> Login:
        """Who this is. `username` None: not asked for (HTTP and frames name the client id only). EngineAway if unknowable."""
        device = await self._directory.find(client_id)
        digest = self._digest(client_id, username, secret)
        if device is not None and device.enabled and self._right.get(client_id) == self._with_hash(digest, device):
            self.passed += 1
            return Login(device)
        if self._limited(client_id, address):
            self.failed += 1
            return Login(None, f"{client_id[:80]!r} from {address}", limited=True)
        reason = await self._wrong(device, username, secret)
        if reason or device is None:
            self._count(client_id, address)
            self.failed += 1
            return Login(None, reason or "unknown client id")
        if len(self._right) > MOST_KEPT:
            self._right.clear()
        self._right[client_id] = self._with_hash(digest, device)
        self.passed += 1
        return Login(device)

    async def _wrong(self, device: Device | None, username: str | None, secret: bytes) -> str:
        if device is None:
            return "unknown client id"
        if not device.enabled:
            return "device disabled"
        if username is not None and username != device.username:
            return "wrong user name"
        self.hashed += 1
        right = await asyncio.get_running_loop().run_in_executor(self._pool, check_secret, secret, device.secret_hash)
        return "" if right else "wrong secret"

    def _digest(self, client_id: str, username: str | None, secret: bytes) -> bytes:
        state = hashlib.blake2b(key=self._key, digest_size=24)
        for part in (client_id.encode(), b"\0" if username is None else b"\1" + username.encode(), secret):
            state.update(len(part).to_bytes(4, "big") + part)
        return state.digest()

    def _with_hash(self, digest: bytes, device: Device) -> bytes:
        """Bound to the kept hash and user name, so that a changed secret ends the memory."""
        return hashlib.blake2b(
            digest + device.secret_hash.encode() + b"\0" + device.username.encode(), key=self._key, digest_size=24
        ).digest()

    def _limited(self, client_id: str, address: str) -> bool:
        return self._recent(f"{client_id}\n{address}") >= PER_CLIENT or self._recent(address) >= PER_ADDRESS

    def _recent(self, key: str) -> int:
        times = self._failures.get(key)
        if not times:
            return 0
        since = time.monotonic() - WINDOW_S
        if times[0] < since:
            times[:] = [t for t in times if t >= since]
            if not times:
                del self._failures[key]
        return len(times)

    def _count(self, client_id: str, address: str) -> None:
        if len(self._failures) > 20_000:
            self._failures.clear()
        for key in (f"{client_id}\n{address}", address):
            self._failures.setdefault(key, []).append(time.monotonic())

    def close(self) -> None:
        """End the hashing thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)
