"""Ingest: framed readings and single MQTT QoS 1 messages, durable on disk, judged and stored; steady and idle cost.

The whole platform is started on an empty folder with 100,000 stations; generators run in processes of their own. Every run
ends when the last answered reading is in the database, and counts that none is missing or doubled. Idle and steady come
first, on a fresh platform.
"""

from __future__ import annotations

import time

from ._platform import SECRET, Platform, finished, generator


def arguments(parser):
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stations", type=int, default=100_000)
    parser.add_argument("--only", default="", help="idle,steady,framed,mqtt")


def run(args):
    parts = args.only.split(",") if args.only else ["idle", "steady", "framed", "mqtt"]
    figures: dict = {}
    if {"idle", "steady"} & set(parts):
        with Platform(devices=850) as p:
            if "idle" in parts:
                idle(p, figures, args.seconds / 3)
            if "steady" in parts:
                p.stations = 85_000
                p.register()
                steady(p, figures, args.seconds)
    if {"framed", "mqtt"} & set(parts):
        with Platform(args.stations) as p:
            if "framed" in parts:
                framed(p, figures, args.seconds, args.stations)
            if "mqtt" in parts:
                mqtt(p, figures, args.seconds / 2, args.stations)
    return figures


def idle(p: Platform, figures: dict, seconds: float) -> None:
    time.sleep(5)
    before = p.cpu_s()
    time.sleep(seconds)
    figures["idle_cpu_cores"] = [(p.cpu_s() - before) / seconds]
    figures["idle_mb"] = [p.pss_mb()]


def steady(p: Platform, figures: dict, seconds: float) -> None:
    """85,000 sensors once a minute, by 850 MQTT connections."""
    load = generator("_devices", p.info["mqtt"], SECRET, 850, 100, 20, 85_000 / 60, seconds + 5)
    time.sleep(5)
    samples, memory, before, at = [], [], p.cpu_s(), time.monotonic()
    while time.monotonic() - at < seconds - 5:
        began, cpu = time.monotonic(), p.cpu_s()
        time.sleep(5)
        samples.append((p.cpu_s() - cpu) / (time.monotonic() - began))
        memory.append(p.pss_mb())
    figures["steady_85k_cpu_cores"] = samples or [(p.cpu_s() - before) / (time.monotonic() - at)]
    figures["steady_85k_rss_mb"] = memory or [p.pss_mb()]
    said = finished(load)
    figures["steady_85k_puback_ms_p50"], figures["steady_85k_puback_ms_p99"] = ([v] for v in said["answer_ms"])


def framed(p: Platform, figures: dict, seconds: float, stations: int) -> None:
    have, began = p.stored(), time.monotonic()
    said = finished(generator("_frames", p.info["frame"], SECRET, stations, 0, seconds))
    p.worked()
    rate = said["sent"] / (time.monotonic() - began)
    check(p, have, said["sent"])
    figures["framed_readings_per_s"] = {"median": rate, "min": min(said["per_second"]), "max": max(said["per_second"]), "unit": "1/s"}
    figures["framed_answer_ms_p50"], figures["framed_answer_ms_p99"] = ([v] for v in said["answer_ms"])


def mqtt(p: Platform, figures: dict, seconds: float, stations: int) -> None:
    have, began = p.stored(), time.monotonic()
    said = finished(generator("_devices", p.info["mqtt"], SECRET, p.devices, stations // p.devices, 50, 0, seconds))
    p.worked()
    rate = said["answered"] / (time.monotonic() - began)
    check(p, have, said["answered"])
    figures["mqtt_qos1_messages_per_s"] = {"median": rate, "min": min(said["per_second"]), "max": max(said["per_second"]), "unit": "1/s"}
    figures["mqtt_puback_ms_p50"], figures["mqtt_puback_ms_p99"] = ([v] for v in said["answer_ms"])


def check(p: Platform, have: int, answered: int) -> None:
    """Exactly what was answered is stored: the generators never make the same (station, time) twice."""
    stored = p.stored() - have
    if stored != answered:
        raise SystemExit(f"{answered} answered, {stored} stored")
