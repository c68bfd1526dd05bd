"""The sending loop for channels that talk to the world: claim, deliver outside any transaction, note the outcome.

A notice is marked ``sending`` before the world is asked, and settled after it. If the process dies between, it
is tried again after `STUCK_S`: none is lost, none is sent twice but the one that was in flight.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby

from django.db.models import F

from ..engines.outbox import acting, emit
from . import ledger, stage
from .contract import Hands, Outcome
from .models import Notice
from .spread import channels, hands, message_of

BATCH = 50
STUCK_S = 120  # longer than any channel waits for an answer
OVER = ("superseded", "lifted", "expired")


def _nothing(*_: object) -> str:
    raise RuntimeError("a channel that talks to the world has no hands in the database")


def claim(now: datetime, limit: int = BATCH) -> list[Notice]:
    """Take waiting notices: lifts first, then the worse grade, then the older one."""
    with acting("system:notify.delivery"):
        rows = list(
            Notice.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(state="queued", next_at__lte=now)
            .select_related("warning")
            .order_by("priority", "next_at", "id")[:limit]
        )
        Notice.objects.filter(pk__in=[r.id for r in rows]).update(state="sending", attempts=F("attempts") + 1, next_at=now)
    for row in rows:
        row.attempts += 1
    return rows


def send_due(now: datetime) -> int:
    """Deliver what is due; how many were tried."""
    rows = claim(now)
    for name, batch in groupby(sorted(rows, key=lambda r: r.channel), key=lambda r: r.channel):
        live = []
        for row in batch:
            if row.warning.expires_at <= now or (row.warning.kind != "lift" and row.warning.state in OVER):
                finish(row, Outcome("failed", "预警已结束，不再发送", "the warning is over; not sent any more"), now, state="expired")
            else:
                live.append(row)
        channel = channels().get(name)
        if channel is None:
            outcomes = [Outcome("failed", f"没有渠道 {name}", f"there is no channel {name}")] * len(live)
        else:
            hand = hands(live[0].warning) if channel.local and live else Hands(_nothing)
            outcomes = channel.deliver([message_of(n, n.warning, n.warning.kind) for n in live], hand)
        for row, outcome in zip(live, outcomes, strict=True):
            finish(row, outcome, now)
    return len(rows)


def finish(row: Notice, outcome: Outcome, now: datetime, state: str = "") -> None:
    """Write the outcome of one attempt: taken, tried again later, or failed for good (then the next channel)."""
    channel = channels().get(row.channel)
    wait = stage.next_wait_s(channel, row.attempts) if channel and outcome.retry else None
    at = None if wait is None else now + timedelta(seconds=wait)
    if at is not None and at >= row.warning.expires_at:
        at = None
    with acting("system:notify.delivery"):
        held = Notice.objects.select_for_update().filter(pk=row.pk, state="sending").first()
        if held is None:
            return
        if outcome.state == "taken":
            held.state, held.error, held.provider_id, held.next_at = "sent", "", outcome.provider_id, None
            held.save(update_fields=["state", "error", "provider_id", "next_at", "updated_at"])
            fact = ledger.Fact(held.id, "channel", now, held.channel, outcome.provider_id)
            ledger.append(held.warning_id, [fact], division_code=held.division_code)
            return
        held.error = f"{outcome.zh} · {outcome.en}"
        held.state, held.next_at = ("queued", at) if at is not None else (state or "failed", None)
        held.save(update_fields=["state", "error", "next_at", "updated_at"])
        if at is None:
            _failed(held, now)


def _failed(held: Notice, now: datetime) -> None:
    fact = ledger.Fact(held.id, "failed", now, held.channel, str(held.attempts), {"error": held.error})
    ledger.append(held.warning_id, [fact], division_code=held.division_code)
    payload = {"warning": held.warning_id, "recipient": held.recipient, "channel": held.channel, "error": held.error}
    emit("notify.notice.failed", held.id, payload, division_code=held.division_code, cause=held.cause)


def free_stuck(now: datetime) -> int:
    """Give back notices whose sender died; how many."""
    with acting("system:notify.delivery"):
        return Notice.objects.filter(state="sending", next_at__lte=now - timedelta(seconds=STUCK_S)).update(state="queued", next_at=now)


def stop_series(series: str, now: datetime) -> int:
    """Nothing of an ended warning waits any longer."""
    return Notice.objects.filter(series=series, state="queued").exclude(warning__kind="lift").update(state="cancelled", next_at=None)
