"""The role of a transport, and what the gateway offers it.

A transport owns one listening port and one way of talking. It finds out who is talking (`Front.logins`),
hands messages to `Front.take` together with a `Receipt`, and answers the device when the receipt is
settled: not before the readings are in the log and the dead letters are kept. It must stop reading
from a connection while `Front.framer.full`, and must survive any bytes a stranger sends.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field

from ..base import settings as conf
from ..base.clock import ClockWatch, now_ms
from ..base.errors import AnlanError
from .database import Line
from .directory import Device, Directory
from .downlink import Downlink
from .faults import Fault
from .foreign import by_paths
from .framer import Framer, Receipt
from .intake import sift
from .letters import Letters
from .log import LogLine
from .logins import Logins
from .metrics import Histogram
from .rawlog import RawLog
from .states import States

MAX_MESSAGE = 1024 * 1024  # bytes of one packet, body or block
CONNECT_S = 10.0  # time a stranger has to say who it is
STALL_S = 30.0  # a packet begun must be complete, an answer written must be read, within this time
MOST_STRANGERS = 1000  # connections that have not logged in yet, per transport
ASK_AGAIN_S = 10.0  # an unknown key makes the gateway read that device again, at most this often


@dataclass(slots=True)
class Front:
    """Everything a transport may use. One per gateway process."""

    directory: Directory
    logins: Logins
    framer: Framer
    letters: Letters
    states: States
    downlink: Downlink
    tls: ssl.SSLContext | None = None
    counters: dict[str, int] = field(default_factory=dict)
    answers: Histogram = field(default_factory=Histogram)
    past_ms: int = 0
    future_ms: int = 0
    stopping: bool = False
    watch: ClockWatch = field(default_factory=ClockWatch)
    problem: str = ""  # why readings are refused now, both languages; empty: they are taken
    asked: dict[str, float] = field(default_factory=dict)
    log: LogLine | None = None
    line: Line | None = None
    raw: RawLog | None = None
    transports: list[Transport] = field(default_factory=list)

    def window(self) -> tuple[int, int]:
        """Oldest and latest time of a reading that is taken now, UTC ms; our own clock set back does not make readings "future"."""
        now = now_ms()
        return now - self.past_ms, now + self.future_ms + self.watch.lag_ms

    def count(self, name: str, n: int = 1) -> None:
        """Add to a counter of the metrics."""
        self.counters[name] = self.counters.get(name, 0) + n

    def take(self, device: Device, payload: bytes, receipt: Receipt, source: str, topic: str, window: tuple[int, int]) -> list[Fault]:
        """Rows into the open frames, faults into the dead letters (with `receipt`); the faults are returned.

        The caller ends the chunk with ``framer.join(receipt)`` and ``receipt.release()``.
        """
        faults = sift(payload, device.feeds, window[0], window[1], self.framer.lanes, device.wrong_units)
        if faults and all(f.code == "collect.bad_shape" for f in faults):  # another platform's JSON: by the device's paths, if it has any
            read = by_paths(payload, device.feeds, now_ms())
            if read is not None:
                faults = sift(read, device.feeds, window[0], window[1], self.framer.lanes, device.wrong_units)
        if faults:
            self.refuse(faults, device, payload, receipt, source, topic)
        return faults

    def refuse(self, faults: list[Fault], device: Device, payload: bytes, receipt: Receipt | None, source: str, topic: str) -> None:
        """Keep faults of a known device as dead letters."""
        for fault in faults:
            if fault.code in ("collect.unknown_key", "collect.unknown_series"):
                now = time.monotonic()
                if now - self.asked.get(device.client_id, -ASK_AGAIN_S) >= ASK_AGAIN_S:
                    self.asked[device.client_id] = now
                    self.directory.heard(f"ask|{device.client_id}")
            self.letters.add(
                fault,
                source=source,
                device=device.client_id,
                division=device.division_code,
                topic=topic,
                payload=payload,
                receipt=receipt,
            )

    def stranger(self, fault: Fault, source: str, address: str, client_id: str = "") -> None:
        """Keep a fault of somebody who is not logged in; a registered client id also gets it on its state."""
        known = client_id if client_id in self.directory.records else ""
        self.letters.add(fault, source=source, device=known, topic="" if known else address.rpartition(":")[0])


class Transport(ABC):
    """One way in. ``name`` is also the `source` of its dead letters; ``setting`` its port setting."""

    name: str
    setting: str
    default_port: int

    @abstractmethod
    async def start(self, front: Front, listener: socket.socket) -> None:
        """Serve on `listener` (bound, listening)."""

    @abstractmethod
    async def stop_accepting(self) -> None:
        """No new connections, no more input; answers still go out."""

    @abstractmethod
    async def close(self) -> None:
        """Close every connection."""

    def connections(self) -> int:
        """Open connections now."""
        return 0

    def dismiss(self, device: Device) -> None:
        """Close the lines of a device that may no longer talk."""
        return


def bind(host: str, wanted: int, *preferred: int) -> socket.socket:
    """A bound socket: port `wanted`, or with 0 the first of `preferred` that is free, else any; AnlanError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    error: OSError | None = None
    for port in [wanted] if wanted else [*preferred, 0]:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        try:
            listener.bind((host, port))
            listener.listen(1024)
            return listener
        except OSError as failed:
            listener.close()
            error = failed
    raise AnlanError(
        "collect.port_taken",
        f"{host}:{wanted} 无法监听（{error}）。请停止占用该端口的程序，或换一个端口 / 地址 (ANLAN_BIND)。",
        f"cannot listen on {host}:{wanted} ({error}). Stop the program that holds it, or choose another port or address (ANLAN_BIND).",
    )


def tls_context() -> ssl.SSLContext | None:
    """The TLS context of the device ports from the settings; None for plain ports."""
    cert, key = conf.get("TLS_CERT"), conf.get("TLS_KEY")
    if not cert:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key or None)
    except (OSError, ssl.SSLError) as error:
        raise AnlanError(
            "collect.bad_certificate",
            f"无法读取证书 {cert} 或私钥 {key}（{error}）。请检查 ANLAN_TLS_CERT / ANLAN_TLS_KEY。",
            f"cannot read certificate {cert} or key {key} ({error}). Check ANLAN_TLS_CERT and ANLAN_TLS_KEY.",
        ) from None
    return context


def peer_address(transport: asyncio.BaseTransport) -> str:
    """``host:port`` of the other side."""
    peer = transport.get_extra_info("peername")
    return f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else "local:0"
