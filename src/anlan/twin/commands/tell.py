"""`anlan tell`: tell the storm night to a running platform (started by `anlan demo`)."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import Any

HELP = ("向已启动的平台讲述暴雨夜（由 demo 调用）", "tell the storm night to a running platform (used by demo)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """``--seed``, ``--full``, ``--live``, ``--headless``, ``--json``, ``--again-told``."""
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--full", action="store_true", help="登记 85,000 个传感器 · register all 85,000 sensors")
    parser.add_argument("--live", type=int, default=300, help="真实连接的传感器数 · sensors on real connections")
    parser.add_argument("--headless", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--told", action="store_true", help="故事已讲过，只让设备继续 · the story is told: devices just go on")


def run(args: argparse.Namespace) -> int:
    """Load, tell, add up."""
    from ...base.settings import data_folder
    from ...engines.project import setup

    setup()
    from ..load import load

    data = data_folder()
    place = _place()
    print("装载演示区 · loading the demo district", flush=True)
    loaded = load(args.seed, args.full, data, args.live)
    print(
        f"  {len(loaded.district.sites)} 监测对象 sites · {len(loaded.district.stations)} 传感器 sensors · {len(loaded.live)} 在线 live",
        flush=True,
    )
    _greet(place.http, loaded.accounts)
    if args.told:
        return asyncio.run(_go_on(loaded, place, args.seed))
    outcome = asyncio.run(_tell(loaded, place, args))
    _mark_told()
    if args.json:
        print(json.dumps(outcome, ensure_ascii=False), flush=True)
    elif not outcome["ok"]:
        print(json.dumps({k: outcome[k] for k in ("missing", "broken", "failures")}, ensure_ascii=False), file=sys.stderr)
    if not args.headless:
        print("故事讲完了；平台继续运行，Ctrl-C 停止 · the story is over; the platform goes on, Ctrl-C stops it", flush=True)
        asyncio.run(_go_on(loaded, place, args.seed))
    return 0 if outcome["ok"] else 1


def _place() -> Any:
    from ..tell import Place

    bind = os.environ.get("ANLAN_BIND") or "127.0.0.1"
    host = "127.0.0.1" if bind in ("0.0.0.0", "::", "localhost") else bind
    return Place(f"http://{host}:{os.environ['ANLAN_HTTP_PORT']}", host, int(os.environ["ANLAN_MQTT_PORT"]))


def _greet(http: str, accounts: dict[str, dict[str, str]]) -> None:
    from ..load import LOGINS

    print(f"\n  网址 address   {http}\n  演示账号 demo log-ins:")
    for actor, _, words in LOGINS:
        print(f"    {accounts[actor]['username']:12} {accounts[actor]['password']:12} {words}")
    print(flush=True)


def _sites() -> dict[str, str]:
    from ...register.models import Device, Site
    from ..district import KEY_ROAD, KEY_SLOPE

    found = {code: Site.objects.get(code=code).id for code in (KEY_SLOPE, KEY_ROAD)}
    return found | {"siren": Device.objects.get(client_id="SIREN-001").id}


async def _tell(loaded: Any, place: Any, args: argparse.Namespace) -> dict[str, Any]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from ...base.clock import story
    from ..book import PLOT, Book
    from ..night import NIGHT_H
    from ..records import recorded
    from ..tell import Telling, fleet_of, local

    told = story()
    start_ms = told[1] if told else 0
    sites = await asyncio.to_thread(_sites)
    records = await asyncio.to_thread(recorded, loaded.live)
    if records:
        print(
            f"  {len(records)} 个测点重放真实记录 · stations replay real records (ANLAN_SHARED)",
            file=sys.stderr if args.json else sys.stdout,
            flush=True,
        )
    await asyncio.to_thread(_close)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=args.json), disable=args.headless and not sys.stdout.isatty()) as bar:
        line = bar.add_task("暴雨夜 storm night", total=NIGHT_H)

        def say(step: dict[str, Any]) -> None:
            bar.console.print(f"[{step['at'][11:19]}] {step['zh']} · {step['en']}  {step['id']}", highlight=False, soft_wrap=True)

        book = Book(say)
        fleet = fleet_of(loaded, place, args.seed, start_ms, False, records)
        telling = Telling(loaded, place, fleet, book, sites, 0.5 if args.headless else 20.0)

        async def clock() -> None:
            while True:
                bar.update(
                    line,
                    completed=min(telling.hour, NIGHT_H),
                    description=f"{local(start_ms + int(telling.hour * 3.6e6))} {len(book.steps)}/{len(PLOT)}",
                )
                await asyncio.sleep(0.2)

        ticking = asyncio.create_task(clock())
        try:
            return await telling.run()
        finally:
            ticking.cancel()


def _close() -> None:
    from django.db import connection

    connection.close()


def _mark_told() -> None:
    """Note in the database that the story is over (the demo command marks the folder)."""
    from ...base.clock import now_ms
    from ...engines.outbox import acting
    from ...register.models import DeskNote

    with acting("system:twin"):
        DeskNote.objects.update_or_create(key="demo.told", defaults={"value": {"at_ms": now_ms()}})


async def _go_on(loaded: Any, place: Any, seed: int) -> int:
    from ...base.clock import now_ms
    from ..night import NIGHT_H
    from ..tell import fleet_of

    await fleet_of(loaded, place, seed, now_ms() - int(NIGHT_H * 3_600_000), True).run()
    await asyncio.Event().wait()
    return 0
