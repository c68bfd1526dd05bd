"""Steady: what the whole platform costs idle, and with 85,000 sensors once a minute (CPU in cores, memory as PSS of all processes)."""

from __future__ import annotations

from ._platform import Platform
from .ingest import idle, steady


def arguments(parser):
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--idle-seconds", type=float, default=15)
    parser.add_argument("--sensors", type=int, default=85_000)


def run(args):
    figures: dict = {}
    with Platform(args.sensors, devices=850) as p:
        idle(p, figures, args.idle_seconds)
        figures["idle_cpu_percent"] = {**dict.fromkeys(("median", "min", "max"), figures["idle_cpu_cores"][0] * 100), "unit": "%"}
        steady(p, figures, args.seconds)
    return figures
