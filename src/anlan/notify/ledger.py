"""The receipt ledger: append-only rows, chained by hash, one chain a warning.

Each row's hash covers the row before it and everything it says; `ReceiptHead` keeps the end. `verify`
finds a changed, missing, inserted or cut-off row. Facts may come twice and out of order: the same notice,
fact and provider id is one row, and a notice's `reached` is its strongest fact.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from ..engines.outbox import emit
from .models import Notice, Receipt, ReceiptHead
from .stage import fact_rank

ALONE = 20  # up to so many receipts have an event each; a larger batch has one event for each fact
START = "0" * 64


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact to be noted. `at` is aware; `provider_id` tells repeats; `evidence` is small JSON."""

    notice: str
    fact: str
    at: datetime
    reported_by: str
    provider_id: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def row_hash(previous: str, warning: str, seq: int, row: Fact) -> str:
    """SHA-256 over the canonical JSON of the row and the hash before it."""
    at = row.at.astimezone(UTC).isoformat(timespec="microseconds")
    said = [previous, warning, seq, row.notice, row.fact, at, row.reported_by, row.provider_id, _plain(row.evidence)]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """JSON that comes back from the database as it went in: floats as text."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def append(warning_id: str, facts: Sequence[Fact], *, division_code: str = "", notify: bool = True) -> int:
    """Append facts to the warning's chain, repeats left out; the number of new rows. Needs a transaction."""
    facts = list({(f.notice, f.fact, f.provider_id): f for f in facts}.values())
    if not facts:
        return 0
    ReceiptHead.objects.bulk_create([ReceiptHead(warning_id=warning_id, hash=START)], ignore_conflicts=True)
    head = ReceiptHead.objects.select_for_update().get(warning_id=warning_id)
    known = set(
        Receipt.objects.filter(notice__in=[f.notice for f in facts], fact__in={f.fact for f in facts}).values_list(
            "notice_id", "fact", "provider_id"
        )
    )
    rows = []
    for fact in facts:
        if (fact.notice, fact.fact, fact.provider_id) in known:
            continue
        previous, head.seq = head.hash, head.seq + 1
        head.hash = row_hash(previous, warning_id, head.seq, fact)
        rows.append(
            Receipt(
                warning_id=warning_id,
                seq=head.seq,
                notice_id=fact.notice,
                fact=fact.fact,
                at=fact.at,
                reported_by=fact.reported_by,
                provider_id=fact.provider_id,
                evidence=_plain(fact.evidence),
                previous_hash=previous,
                hash=head.hash,
            )
        )
    if not rows:
        return 0
    Receipt.objects.bulk_create(rows, batch_size=2000)
    head.save(update_fields=["seq", "hash"])
    _raise_reached(rows)
    if notify:
        _tell(warning_id, rows, division_code)
    return len(rows)


def _raise_reached(rows: Sequence[Receipt]) -> None:
    ranks: dict[str, int] = {}
    for row in rows:
        ranks[row.notice_id] = max(ranks.get(row.notice_id, 0), fact_rank(row.fact))
    with connection.cursor() as cursor:
        cursor.execute(
            "update notify_notice n set reached = v.r, updated_at = now() from unnest(%s::text[], %s::smallint[]) v(id, r) "
            "where n.id = v.id and n.reached < v.r",
            [list(ranks), list(ranks.values())],
        )


def _tell(warning_id: str, rows: Sequence[Receipt], division_code: str) -> None:
    if len(rows) > ALONE:
        for fact, count in Counter(r.fact for r in rows).items():
            payload = {"warning": warning_id, "fact": fact, "count": count}
            emit(
                "notify.receipt.added",
                warning_id,
                payload,
                division_code=division_code,
                cause=[warning_id],
                key=f"receipts:{warning_id}:{rows[0].seq}:{fact}",
            )
        return
    notices = {
        n.id: n
        for n in Notice.objects.filter(pk__in={r.notice_id for r in rows}).only("id", "recipient", "channel", "division_code", "reached")
    }
    for row in rows:
        notice = notices[row.notice_id]
        payload = {
            "warning": warning_id,
            "recipient": notice.recipient,
            "channel": notice.channel,
            "fact": row.fact,
            "reached": notice.reached,
            "count": 1,
        }
        emit(
            "notify.receipt.added",
            notice.id,
            payload,
            division_code=notice.division_code or division_code,
            cause=[warning_id, notice.id],
            key=f"receipt:{warning_id}:{row.seq}",
        )


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a chain holds: `broken_at` is the first wrong sequence number, `zh`/`en` say what is wrong."""

    ok: bool
    rows: int
    broken_at: int | None = None
    zh: str = ""
    en: str = ""


def verify(warning_id: str) -> Verification:
    """Recompute a warning's chain from the first row to its head."""
    previous, seq = START, 0
    for row in Receipt.objects.filter(warning_id=warning_id).order_by("seq").iterator(chunk_size=2000):
        seq += 1
        if row.seq != seq:
            return Verification(False, seq, seq, f"缺第 {seq} 行", f"row {seq} is missing")
        fact = Fact(row.notice_id, row.fact, row.at, row.reported_by, row.provider_id, row.evidence)
        if row.previous_hash != previous or row.hash != row_hash(previous, warning_id, seq, fact):
            return Verification(False, seq, seq, f"第 {seq} 行被改动", f"row {seq} was changed")
        previous = row.hash
    head = ReceiptHead.objects.filter(warning_id=warning_id).first()
    if head is not None and (head.seq, head.hash) != (seq, previous):
        return Verification(False, seq, seq + 1, f"末尾少了 {head.seq - seq} 行", f"{head.seq - seq} rows are missing at the end")
    return Verification(True, seq)
