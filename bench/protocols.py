"""Protocols: frames decoded a second by each own codec, alone in one process on one core.

`jt808_decode_per_s`: 0x0200 with five extra items (mileage, fuel, recorder speed, signal, satellites), 2,000 terminals;
`gb26875_decode_per_s`: type 2 with four objects; `sl651_decode_per_s`: an hourly report (sixteen readings);
`hj212_decode_per_s`: CN 2011 with eight factors. All through `Stream.columns`, the way of bulk data, kernels compiled
before; `…_message_per_s` is the same through `Stream.feed`, the way of one connection, with all fields and the answer.
"""

from __future__ import annotations

import time

from anlan.collect.codec import codec


def arguments(parser):
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=9)


def positions(n):
    """Frames of a fleet: every terminal somewhere else, each with five extra items."""
    items = {"mileage_km": 12345.6, "fuel_l": 40.5, "recorder_speed_kmh": 61.0, "signal": 28, "satellites": 14}
    for i in range(n):
        place = {"alarm": i % 3, "status": 3, "latitude": 30 + i * 1e-5, "longitude": 114 + i * 1e-5, "altitude_m": 40}
        moving = {"speed_kmh": 60.5, "heading_deg": i % 360, "time": f"2026-10-01T08:{i // 60 % 60:02}:{i % 60:02}+08:00"}
        yield {"name": "position", "phone": f"139{i % 2000:08}", "serial": i & 0xFFFF, **place, **moving, **items}


def parts(n):
    """Frames of fire panels: four smoke detectors each, one of them in alarm."""
    for i in range(n):
        objects = [
            {
                "system_type": 1,
                "system_address": 1,
                "part_type": 42,
                "part_address": f"{i % 50 * 4 + k:08x}",
                "states": ["normal", "fire"] if k == 0 else ["normal"],
                "text": "一号楼三层走道感烟探测器",
                "time": "2026-10-01T08:00:00+08:00",
            }
            for k in range(4)
        ]
        yield {
            "name": "part_state",
            "serial": i & 0xFFFF,
            "source": f"{i % 500:012x}",
            "target": "1",
            "time": objects[0]["time"],
            "objects": objects,
        }


def hourly(n):
    """Hourly reports of rain stations: twelve 5-minute rains, total, today, the hour's sum, voltage."""
    for i in range(n):
        rains = {"id": "F4", "values": [(i + k) % 20 / 10 for k in range(12)]}
        more = [{"name": name, "value": value} for name, value in (("PT", i % 9000 / 10), ("PJ", 12.5), ("P1", 3.0), ("VT", 12.61))]
        times = {"send_time": f"2026-10-01T12:00:{i % 60:02}+08:00", "observe_time": "2026-10-01T11:05:00+08:00"}
        who = {"function": "34", "station": f"00{i % 2000:08}", "serial": i & 0xFFFF, "station_type": "P"}
        yield {**who, **times, "elements": [rains, *more]}


def factors(n):
    """Real-time data (CN 2011) of air stations with eight factors."""
    codes = ("a21026", "a21004", "a34004", "a34002", "a21005", "a05024", "a01001", "a01002")
    for i in range(n):
        who = {
            "QN": f"20261001120000{i % 1000:03}",
            "ST": "22",
            "CN": "2011",
            "PW": "123456",
            "MN": f"010000A8900016F0{i % 2000:08}",
            "Flag": 5,
        }
        values = {code: {"Rtd": f"{(i + k) % 1000 / 10}", "Flag": "N"} for k, code in enumerate(codes)}
        yield {**who, "cp": {"DataTime": f"202610011200{i % 60:02}"}, "factors": values}


MADE = {"jt808": positions, "gb26875": parts, "sl651": hourly, "hj212": factors}


def rate(name, make, frames, repeats):
    """Frames a second in bulk, and as messages."""
    of = codec(name)
    each = [of.encode(message) for message in make(frames)]
    data, few = b"".join(each), b"".join(each[: frames // 10])
    of.stream().columns(data)
    bulk, single = [], []
    for _ in range(repeats):
        stream, start = of.stream(), time.perf_counter()
        found = stream.columns(data)
        bulk.append(frames / (time.perf_counter() - start))
        assert len(found) >= 5 * frames
        stream, start = of.stream(), time.perf_counter()
        said = stream.feed(few)
        single.append(len(said) / (time.perf_counter() - start))
    return bulk, single


def run(args):
    out = {}
    for name, make in MADE.items():
        out[f"{name}_decode_per_s"], out[f"{name}_message_per_s"] = rate(name, make, args.frames, args.repeats)
    return out
