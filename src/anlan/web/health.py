"""How the house is: engines, lanes, letters, failed events, disk, versions; each fault with what to do about it."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import threading
import time
from typing import Any

import orjson
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from ninja import Router

import anlan

from ..base import settings as conf
from ..base.clock import SystemClock
from ..base.errors import AnlanError
from ..collect.models import DeviceState, LaneCursor
from ..engines import nats, room
from ..engines.conditions import end
from ..engines.folders import Folders
from ..engines.models import Condition, FailedEvent, Outbox
from ..register.models import Device
from .app import as_json
from .errors import not_found
from .letters import open_letters

router = Router(tags=["system"])
FRESH_S = 2.0
LOW_DISK_GB = 5.0  # NATS refuses writes and PostgreSQL stops when the disk is full; a day of 85k sensors is about 2 GB
LANE_LOCK = 0x414E4C  # class of the advisory lock a worker holds per lane (docs/architecture.md)
_lock = threading.Lock()
_log_facts: tuple[float, dict[str, Any]] = (0.0, {})


async def _ask_log(lanes: int) -> dict[str, Any]:
    began = time.perf_counter()
    async with asyncio.timeout(2):
        async with nats.connected(name="anlan-web-health") as client:
            stream = client.jetstream()
            found = {lane: (await stream.stream_info(nats.lane_stream(lane))).state for lane in range(lanes)}
            facts = {lane: {"last": s.last_seq, "first": s.first_seq, "bytes": s.bytes} for lane, s in found.items()}
            v = client.connected_server_version
            return {
                "ok": True,
                "version": f"{v.major}.{v.minor}.{v.patch}",
                "lanes": facts,
                "latency_ms": round((time.perf_counter() - began) * 1000, 1),
            }


def log_facts() -> dict[str, Any]:
    """What the message log says of itself, at most `FRESH_S` old; ``ok`` false with the reason when it is away."""
    global _log_facts
    with _lock:
        if time.monotonic() - _log_facts[0] < FRESH_S:
            return _log_facts[1]
        try:
            if not conf.get("NATS_URL"):
                raise AnlanError("web.no_log", "未设置 ANLAN_NATS_URL", "ANLAN_NATS_URL is not set")
            facts = asyncio.run(_ask_log(conf.get("LANES")))
        except Exception as error:  # whatever the client says: shown to the operator, never raised
            facts = {"ok": False, "detail": str(error) or type(error).__name__, "lanes": {}}
        _log_facts = (time.monotonic(), facts)
        return facts


def _engines() -> list[dict[str, Any]]:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version'), pg_database_size(current_database())")
        version, size = cursor.fetchone()
    database = {
        "name": "PostgreSQL",
        "ok": True,
        "version": version,
        "latency_ms": round((time.perf_counter() - began) * 1000, 1),
        "detail": f"{size / 1e9:.2f} GB",
        "zh": "正常",
        "en": "well",
    }
    log = log_facts()
    words = ("正常", "well")
    if not log["ok"]:
        words = (
            "消息日志连不上：设备数据不被确认、会重发；检查 nats 进程与磁盘",
            "the log is away: devices are not answered and resend; see the nats process and disk",
        )
    facts: dict[str, Any] = {k: log[k] for k in ("ok", "version", "latency_ms", "detail") if k in log}
    return [database, {"name": "NATS JetStream", "zh": words[0], "en": words[1], **facts}]


def _lanes() -> list[dict[str, Any]]:
    log = log_facts()
    with connection.cursor() as cursor:
        cursor.execute(
            "select l.objid, a.pid, a.application_name from pg_locks l left join pg_stat_activity a using (pid) "
            "where l.locktype = 'advisory' and l.classid = %s and l.granted",
            [LANE_LOCK],
        )
        owners = {row[0]: f"{row[2] or 'worker'} ({row[1]})" for row in cursor.fetchall()}
        cursor.execute("select max(written_ms) from collect_latestblock")
        written = cursor.fetchone()[0]
    cursors = dict(LaneCursor.objects.values_list("lane", "seq"))
    out = []
    for lane in range(conf.get("LANES")):
        seq, last = cursors.get(lane, 0), log["lanes"].get(lane, {}).get("last")
        lag = max(last - seq, 0) if last is not None else None
        owner = owners.get(lane)
        zh, en = (
            ("正常", "well") if owner else ("没有 worker 在处理此流：运行 anlan worker", "no worker holds this lane: run `anlan worker`")
        )
        out.append(
            {
                "lane": lane,
                "cursor": seq,
                "last": last,
                "lag": lag,
                "lag_s": None,
                "worker": owner,
                "written_ms": written,
                "zh": zh,
                "en": en,
            }
        )
    return out


def _failed() -> list[dict[str, Any]]:
    rows = FailedEvent.objects.select_related("event").order_by("-failed_at")[:50]
    return [
        {
            "id": f.pk,
            "event": f.event_id,
            "type": f.event.type,
            "subject": f.event.subject,
            "handler": f.handler,
            "error": f.error[-600:],
            "attempts": f.attempts,
            "next_at": f.retry_at,
            "zh": "将自动重试" if f.retry_at else "已放弃：修复原因后由管理员重新派发",
            "en": "retried by itself" if f.retry_at else "given up: mend the cause, then hand it out again",
        }
        for f in rows
    ]


def _faults() -> dict[str, Any]:
    """What the supervisor of this machine had to start again: name to why, when and how often."""
    try:
        rows: dict[str, Any] = orjson.loads((Folders(conf.data_folder()).run / "faults.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return rows


def _disk() -> dict[str, Any] | None:
    folder = conf.data_folder()
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    free = usage.free / 1e9
    low = free < LOW_DISK_GB
    if room.too_little(free):
        zh, en = room.words(free)
        return {"free_gb": round(free, 2), "total_gb": round(usage.total / 1e9, 2), "path": folder.name, "ok": False, "zh": zh, "en": en}
    zh = f"磁盘剩余不足 {LOW_DISK_GB:.0f} GB：清理或扩容，写满后将停止接收数据" if low else "正常"
    en = f"less than {LOW_DISK_GB:.0f} GB left: free or add space; when full, data is no longer taken" if low else "well"
    return {"free_gb": round(free, 2), "total_gb": round(usage.total / 1e9, 2), "path": folder.name, "ok": not low, "zh": zh, "en": en}


@router.get("/system/health", summary="Engines, lanes, letters, failed events, disk, versions")
def health(request: HttpRequest) -> HttpResponse:
    """What the operator must know; ``ok`` is false when anything asks for a hand."""
    asker = request.asker  # type: ignore[attr-defined]
    engines, lanes, failed, disk = _engines(), _lanes(), _failed(), _disk()
    by_code: dict[str, int] = {}
    for code, count in open_letters(asker).values_list("code", "count"):
        by_code[code] = by_code.get(code, 0) + count
    total = Device.objects.filter(enabled=True).count()
    online = DeviceState.objects.filter(online=True, device__enabled=True).count()
    waiting = Outbox.objects.filter(dispatched_at=None).count()
    well = all(e["ok"] for e in engines) and all(x["worker"] for x in lanes) and not failed and bool(disk and disk["ok"])
    return as_json(
        {
            "ok": well,
            "engines": engines,
            "lanes": lanes,
            "letters": {"open": sum(by_code.values()), "by_code": by_code},
            "failed_events": failed,
            "events_waiting": waiting,
            "disk": disk,
            "conditions": standing(),
            "restarts": _faults(),
            "devices": {"online": online, "offline": total - online, "total": total},
            "versions": {
                "anlan": anlan.__version__,
                "python": sys.version.split()[0],
                "postgres": engines[0]["version"],
                "nats": engines[1].get("version", ""),
            },
            "process": {"pid": os.getpid()},
        }
    )


@router.post("/system/failed/{pk}/retry", summary="Hand a failed event to its handler again")
def retry_failed(request: HttpRequest, pk: int) -> dict[str, bool]:
    """Make a failed (also a given-up) event due now; the desk takes it within seconds. Needs the right ``admin``."""
    asker = request.asker  # type: ignore[attr-defined]
    if "admin" not in asker.rights:
        asker.demand("admin")
    if not 0 < pk < 2**31 or not FailedEvent.objects.filter(pk=pk).update(retry_at=SystemClock().now()):
        raise not_found("失败事件 failed event", pk)
    return {"ok": True}


def standing() -> list[dict[str, Any]]:
    """What is wrong with the house now: stored conditions, and the disk as it is."""
    rows = Condition.objects.filter(until=None).order_by("-since")[:20]
    found = [
        {"id": c.pk, "code": c.code, "key": c.key, "zh": c.zh, "en": c.en, "since": c.since, "done": c.code != room.CODE} for c in rows
    ]
    free = room.free_gb(conf.data_folder())
    if room.too_little(free) and not any(c["code"] == room.CODE for c in found):
        zh, en = room.words(free)
        found.append({"id": 0, "code": room.CODE, "key": "", "zh": zh, "en": en, "since": SystemClock().now(), "done": False})
    return found


@router.get("/system/conditions", summary="What is wrong with the house itself, for the strip on every screen")
def conditions(request: HttpRequest) -> HttpResponse:
    """Newest first, in both languages with what to do; ``done``: an administrator may take it off."""
    return as_json({"conditions": standing()})


@router.post("/system/conditions/{pk}/done", summary="A condition has been seen to")
def condition_done(request: HttpRequest, pk: int) -> dict[str, bool]:
    """Take a condition off the screens; needs the right ``admin``. One that still holds comes back by itself."""
    asker = request.asker  # type: ignore[attr-defined]
    if "admin" not in asker.rights:
        asker.demand("admin")
    row = Condition.objects.filter(pk=pk, until=None).first() if 0 < pk < 2**63 else None
    if row is None:
        raise not_found("情况 condition", pk)
    with transaction.atomic(), connection.cursor() as cursor:
        end(cursor.execute, row.code, SystemClock().now(), row.key)
    return {"ok": True}
