"""The duty desk's queue: everything that waits for a person, sorted by what runs out first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, F, Max, Min, Sum
from django.http import HttpRequest, HttpResponse
from ninja import Router

from ..base.clock import SystemClock, from_ms
from ..base.grade import Grade
from ..issue.models import Proposal
from ..notify.models import CallChain
from ..register.models import Site
from ..register.scope import Asker, scoped
from ..respond.models import Task
from .app import as_json
from .letters import open_letters
from .map import View

router = Router(tags=["desk"])
LONGEST = 100  # items of one kind that the queue shows
CALLS_BACK = timedelta(hours=24)  # an exhausted chain stays in the queue this long


def _site(site: Site | None) -> dict[str, str] | None:
    return {"id": site.pk, "name": site.name, "name_en": site.name_en} if site else None


def _item(
    kind: str, pk: str, grade: int, words: tuple[str, str, str, str], at: datetime, due: datetime | None, **more: Any
) -> dict[str, Any]:
    title, title_en, line, line_en = words
    known = {"claimed_by": None, "site": None, "subject": pk, "division_code": "", **more}
    return {
        "id": pk,
        "kind": kind,
        "grade": grade,
        "title": title,
        "title_en": title_en or title,
        "line": line,
        "line_en": line_en or line,
        "due_at": due,
        "at": at,
        **known,
    }


def _proposals(asker: Asker, now: datetime) -> Iterator[dict[str, Any]]:
    rows = scoped(Proposal.objects.filter(state__in=("open", "claimed")), asker).select_related("site", "claimed_by")
    for p in rows.order_by("decide_by")[:LONGEST]:
        grade = Grade(p.grade)
        title, title_en = f"{p.site.name} · 建议{grade.zh}", f"{p.site.name_en or p.site.name} · {grade.word} proposed"
        claimed = {"id": p.claimed_by.pk, "name": p.claimed_by.name} if p.claimed_by else None
        yield _item(
            "proposal", p.pk, p.grade, (title, title_en, p.zh, p.en), p.proposed_at, p.decide_by,
            claimed_by=claimed, site=_site(p.site), state=p.state, hazard=p.hazard, division_code=p.division_code,
        )  # fmt: skip


def _calls(asker: Asker, now: datetime) -> Iterator[dict[str, Any]]:
    chains = CallChain.objects.filter(state__in=("calling", "exhausted"), created_at__gt=now - CALLS_BACK, warning__state="issued")
    rows = scoped(chains, asker).select_related("warning", "site").prefetch_related("steps__post")
    for chain in rows.order_by("-created_at")[:LONGEST]:
        steps = sorted(chain.steps.all(), key=lambda s: s.order)
        silent = [s.post.name for s in steps if s.state == "timed_out"]
        calling = next((s for s in steps if s.state == "calling"), None)
        if chain.state == "calling" and not silent:
            continue
        names = "、".join(silent[-3:])
        if calling:
            line, line_en = f"{names} 未应答，正在叫 {calling.post.name}", f"no answer from {names}; calling {calling.post.name}"
        else:
            line, line_en = f"{names or '名单为空'}：无人应答，请人工联系", f"{names or 'empty list'}: nobody answered; call by hand"
        yield _item(
            "call", chain.pk, chain.warning.grade, (chain.warning.title, chain.warning.title_en, line, line_en), chain.created_at,
            calling.deadline if calling else chain.updated_at, site=_site(chain.site), subject=chain.warning_id,
            division_code=chain.division_code,
        )  # fmt: skip


def _tasks(asker: Asker, now: datetime) -> Iterator[dict[str, Any]]:
    rows = scoped(Task.objects.filter(state__in=("sent", "accepted", "doing"), due_at__lt=now), asker).select_related(
        "post", "incident__site"
    )
    for task in rows.order_by("due_at")[:LONGEST]:
        word = {"sent": ("未接", "not accepted"), "accepted": ("已接未做", "accepted"), "doing": ("在做", "being done")}[task.state]
        line, line_en = f"{task.post.name} 迟：{word[0]}", f"{task.post.name} is late: {word[1]}"
        yield _item(
            "task", task.pk, 0, (task.title, task.title_en, line, line_en), task.created_at, task.due_at,
            site=_site(task.incident.site if task.incident else None), subject=task.incident_id or task.pk,
            division_code=task.division_code,
        )  # fmt: skip


def _letters(asker: Asker, now: datetime) -> Iterator[dict[str, Any]]:
    groups = open_letters(asker).values("code").annotate(n=Sum("count"), devices=Count("device", distinct=True), zh=Max("zh"), en=Max("en"))
    for g in groups.annotate(first=Min("created_at"), last=Max("updated_at")).order_by(F("last").desc())[:LONGEST]:
        line, line_en = f"{g['n']} 条，{g['devices']} 台设备：{g['zh']}", f"{g['n']} of {g['devices']} devices: {g['en']}"
        yield _item(
            "letter",
            f"letter:{g['code']}",
            0,
            (f"未能接收的数据 · {g['code']}", f"Data not taken · {g['code']}", line, line_en),
            g["last"],
            None,
            subject=g["code"],
        )


def _silences(asker: Asker, now: datetime) -> Iterator[dict[str, Any]]:
    view = View(asker)
    at = np.flatnonzero(view.silent)
    if not len(at):
        return
    last = dict(zip(view.table.number[at].tolist(), view.time_ms[at].tolist(), strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "select site_id, array_agg(number), array_agg(name order by number) from register_station where number = any(%s) group by 1",
            [list(last)],
        )
        groups = cursor.fetchall()
    sites = {s.pk: s for s in Site.objects.filter(pk__in=[g[0] for g in groups])}
    for site_id, numbers, names in sorted(groups, key=lambda g: -max(last[n] for n in g[1]))[:LONGEST]:
        site, since = sites[site_id], from_ms(min(last[n] for n in numbers))
        shown = "、".join(names[:3]) + ("…" if len(names) > 3 else "")
        yield _item(
            "silence", f"silence:{site_id}", 0,
            (f"{site.name} · {len(numbers)} 个测点静默", f"{site.name_en or site.name} · {len(numbers)} silent", shown, shown), since, None,
            site=_site(site), subject=site_id, division_code=site.division_code,
        )  # fmt: skip


KINDS = (_proposals, _calls, _tasks, _letters, _silences)


@router.get("/desk/queue", summary="What waits for a decision, sorted by what runs out first")
def queue(request: HttpRequest) -> HttpResponse:
    """Proposals, calls without answer, late tasks, data not taken, silent stations of the asker's area."""
    asker: Asker = request.asker  # type: ignore[attr-defined]
    now = SystemClock().now()
    items = [item for kind in KINDS for item in kind(asker, now)]
    items.sort(key=lambda i: (i["due_at"] is None, i["due_at"] or i["at"], -i["grade"]))
    return as_json(items)
