"""What the tests of bad conditions share: readings over HTTP push, what was acknowledged, what is stored."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import psycopg


class Sender:
    """One test device of a running stack; `acked` holds the times (ms) of readings that were answered with 200."""

    def __init__(self, info: dict[str, Any], device: int = 0):
        self.info, self.device = info, info["devices"][device]
        self.acked: list[int] = []
        self.last: tuple[int, dict[str, Any]] = (0, {})

    def send(self, time_ms: int, value: float = 1.0, timeout: float = 5) -> int:
        """Push one reading; the status (0: no answer)."""
        body = json.dumps({"t": time_ms, "v": {self.device["quantity"]: value}}).encode()
        request = urllib.request.Request(f"{self.info['push']}/v1/readings", body, method="POST")
        secret = f"{self.device['client_id']}:{self.device['password']}".encode()
        request.add_header("Authorization", "Basic " + base64.b64encode(secret).decode())
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                self.last = (answer.status, json.loads(answer.read()))
        except urllib.error.HTTPError as error:
            self.last = (error.code, json.loads(error.read() or b"{}"))
        except OSError:
            self.last = (0, {})
        if self.last[0] == 200:
            self.acked.append(time_ms)
        return self.last[0]


def get(info: dict[str, Any], path: str) -> Any:
    """JSON of the API as the administrator."""
    request = urllib.request.Request(f"{info['http']}/api{path}", headers={"Authorization": f"Bearer {info['token']}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def until(what: Callable[[], Any], seconds: float = 20, every: float = 0.1) -> Any:
    """The first true value within so many seconds (a last one otherwise); errors of engines that are away count as no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            value = what()
        except (psycopg.Error, OSError):
            value = None
        if value or time.monotonic() > deadline:
            return value
        time.sleep(every)


def stored_times(url: str, station_code: str) -> list[int]:
    """Times of all hot rows of a station, repeats included."""
    with psycopg.connect(url) as connection:
        sql = "select r.time_ms from reading r join register_station s on s.number = r.station where s.code = %s order by 1"
        return [row[0] for row in connection.execute(sql, (station_code,)).fetchall()]


def conditions(url: str) -> set[str]:
    """Codes of the conditions that stand."""
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("select code from engines_condition where until is null").fetchall()}
