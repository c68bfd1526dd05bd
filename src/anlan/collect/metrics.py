"""The gateway's numbers: plain counters on the hot path, Prometheus text when somebody asks."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Front

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)


class Histogram:
    """Durations in fixed buckets (seconds)."""

    __slots__ = ("buckets", "count", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(BOUNDS_S) + 1)
        self.count, self.total = 0, 0.0

    def add(self, seconds: float) -> None:
        """One duration."""
        self.buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self.count += 1
        self.total += seconds

    def lines(self, name: str, help_text: str) -> list[str]:
        """Prometheus text."""
        out, below = [f"# HELP {name} {help_text}", f"# TYPE {name} histogram"], 0
        for bound, n in zip((*BOUNDS_S, "+Inf"), self.buckets, strict=True):
            below += n
            out.append(f'{name}_bucket{{le="{bound}"}} {below}')
        return [*out, f"{name}_sum {self.total:.6f}", f"{name}_count {self.count}"]


def figures(front: Front) -> dict[str, float]:
    """Counters and gauges by name (without the prefix ``anlan_gateway_``)."""
    log = front.log
    return {
        "readings_total": front.framer.rows_total,
        "readings_ahead_total": front.framer.ahead_total,
        "frames_total": front.framer.frames_total,
        "rows_held": front.framer.rows_held,
        "log_connected": int(log is not None and log.connected),
        "log_retries_total": log.retries if log is not None else 0,
        "letters_total": front.letters.total,
        "logins_passed_total": front.logins.passed,
        "logins_failed_total": front.logins.failed,
        "devices_known": len(front.directory.records),
        "devices_online": front.states.online,
        "commands_sent_total": front.downlink.sent,
        "commands_acknowledged_total": front.downlink.acked_total,
        "commands_replied_total": front.downlink.replied_total,
        **front.counters,
    }


def render(front: Front) -> str:
    """All metrics as Prometheus text."""
    out = []
    for name, value in sorted(figures(front).items()):
        kind = "counter" if name.endswith("_total") else "gauge"
        out += [f"# TYPE anlan_gateway_{name} {kind}", f"anlan_gateway_{name} {value}"]
    out.append("# TYPE anlan_gateway_letters_by_code_total counter")
    out += [f'anlan_gateway_letters_by_code_total{{code="{code}"}} {n}' for code, n in sorted(front.letters.by_code.items())]
    out.append("# TYPE anlan_gateway_connections gauge")
    out += [f'anlan_gateway_connections{{transport="{t.name}"}} {t.connections()}' for t in front.transports]
    out += front.framer.took.lines("anlan_gateway_frame_seconds", "cut of a frame to its durable acknowledgement")
    out += front.answers.lines("anlan_gateway_puback_seconds", "arrival of MQTT messages to their PUBACK")
    return "\n".join(out) + "\n"


def health(front: Front) -> dict[str, Any]:
    """Whether devices are being answered now, and what is away."""
    log_up = front.log is not None and front.log.connected
    return {
        "ok": log_up and front.directory.loaded and not front.stopping and not front.problem,
        "log": log_up,
        "database": front.directory.loaded,
        "rows_held": front.framer.rows_held,
        "problem": front.problem or front.letters.problem,
    }
