"""责任倒查: from any record back to the readings it rests on, and forward to all that came of it.

Every record knows its causes (ids); the way back follows them, the way forward looks them up in the
GIN index that `index_causes` gives each table. Where one record has very many effects of a kind (a
warning has thousands of notices), they are one node with their count.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import psycopg
from django.apps import apps
from django.db import connection, models

from ..base.clock import SystemClock, from_ms
from ..base.errors import AnlanError
from ..base.ids import kind_of, parse_reading_id
from ..base.quantity import BY_NUMBER
from ..collect.store import readings
from ..engines.records import Record
from ..register.models import Station
from .models import Hazard, HazardStep

MANY = 40  # effects of one kind beyond this are one node with their count
LONGEST = 2000  # records walked at most; the answer says so when it was cut
AT = ("at", "made_at", "issued_at", "proposed_at", "sent_at", "called_at", "found_at", "opened_at", "signed_at", "closed_at", "created_at")
DONE = ("answered_at", "done_at", "decided_at", "cancelled_at", "explained_at")
LIMIT = ("step_due_at", "deadline", "decide_by", "due_at")
WHO = ("signed_by", "decided_by", "answered_by", "done_by", "claimed_by", "person", "closed_by", "rectified_by", "post")
FACTS = (
    *("state", "grade", "quantity", "detector", "forecaster", "kind", "version", "rule_version", "plan_version", "automatic", "hazard"),
    *("channel", "reached", "answer", "level", "result", "reason", "measures", "explanation", "consequence", "review", "limit_at"),
    *("actual_at", "p10", "p50", "p90", "score", "source"),
)


def kinds() -> dict[str, type[Record]]:
    """Id prefix to model, for every kind of record of the house."""
    return {m.KIND: m for m in apps.get_models() if issubclass(m, Record) and m.KIND}


def index_causes(**_: Any) -> None:
    """Give every record table its GIN index on ``cause`` (after each migrate; rows without a cause stay out of it)."""
    with connection.cursor() as cursor:
        there = set(connection.introspection.table_names(cursor))
        for table in there & {model._meta.db_table for model in kinds().values()}:
            cursor.execute(f"""create index if not exists "{table}_cause" on "{table}" using gin (cause) where cause <> '{{}}'""")


def find_record(record_id: str) -> Record:
    """The record of an id; ``supervise.not_found`` when there is none."""
    model = kinds().get(kind_of(record_id))
    record = model._default_manager.filter(pk=record_id).first() if model else None
    if record is None:
        raise AnlanError("supervise.not_found", f"没有记录 {record_id}", f"no record {record_id}")
    return record


def trace(record_id: str, *, whole: bool = False, now: datetime | None = None, scopes: tuple[str, ...] | None = None) -> dict[str, Any]:
    """``{nodes, edges, cut}``: all causes of a record back to readings and all its effects forward.

    With `whole`, also the other effects of its causes (the whole story that it belongs to). Times are UTC;
    With `scopes` (division prefixes of who asks) a record outside them is a node without words or facts.
    ``used_s`` is the time taken, ``late`` whether it went (or goes, at `now`) beyond ``limit_at``.
    """
    walk = _Walk(now or SystemClock().now())
    walk.start(record_id)
    walk.back([record_id])
    walk.forward([k for k in walk.nodes if not k.startswith("read-")] if whole else [record_id])
    if scopes is not None:
        walk.veil(scopes, record_id)
    nodes = sorted(walk.nodes.values(), key=lambda n: (str(n["at"] or ""), n["id"]))
    return {"nodes": nodes, "edges": sorted(walk.edges), "cut": walk.cut}


class _Walk:
    """The state of one walk over the causes."""

    def __init__(self, now: datetime):
        self.now = now
        self.nodes: dict[str, dict[str, Any]] = {}
        self.edges: set[tuple[str, str]] = set()
        self.causes: dict[str, list[str]] = {}
        self.cut = False
        self.codes: dict[str, str] = {}  # division of each node; those of the whole house have none

    def veil(self, scopes: tuple[str, ...], but: str) -> None:
        """Take words, people, times and facts from nodes outside these divisions (`but` was allowed by itself)."""
        for number, node in self.nodes.items():
            code = self.codes.get(number.rpartition("*")[2], "")
            if code and number != but and not any(code.startswith(scope) for scope in scopes):
                self.nodes[number] = _bare(number, node["kind"], "（不在您的辖区内）", "(outside your area)")

    def start(self, record_id: str) -> None:
        """The first node; it must exist (a reading's name is always taken)."""
        if not record_id.startswith("read-"):
            find_record(record_id)
        self.add([record_id])

    def add(self, ids: Iterable[str]) -> None:
        """Load the records of these ids as nodes."""
        groups: dict[str, list[str]] = {}
        for number in ids:
            if number not in self.nodes:
                groups.setdefault(kind_of(number), []).append(number)
        for kind, numbers in groups.items():
            model = kinds().get(kind)
            if kind == "read":
                self._add_readings(numbers)
            elif model is not None:
                for record in _with_people(model).filter(pk__in=numbers):
                    self._take(record)
            for number in numbers:
                self.nodes.setdefault(number, _bare(number, kind, "（已不在库）", "(no longer stored)"))

    def _take(self, record: Record) -> None:
        self.nodes[record.pk] = node_of(record, self.now)
        self.causes[record.pk] = list(record.cause)
        self.codes[record.pk] = record.division_code
        if isinstance(record, Hazard):
            self._add_steps(record)

    def back(self, frontier: list[str]) -> None:
        """Follow the causes of these records to their ends."""
        while frontier:
            found = []
            for number in frontier:
                for cause in self.causes.get(number, []):
                    self.edges.add((cause, number))
                    if cause not in self.nodes and cause not in found:
                        found.append(cause)
            if len(self.nodes) + len(found) > LONGEST:
                self.cut, found = True, found[: max(0, LONGEST - len(self.nodes))]
            self.add(found)
            frontier = found

    def forward(self, frontier: list[str]) -> None:
        """Find all that names these records as a cause, and so on."""
        seen = set(frontier)
        while frontier and not self.cut:
            found: list[str] = []
            for kind, model in kinds().items():
                rows = _with_people(model).filter(cause__overlap=frontier).exclude(cause=[]).order_by("created_at")
                effects = list(rows[: MANY + 1])
                if len(effects) > MANY:
                    self._summarise(kind, model, frontier, rows.count())
                    continue
                for record in effects:
                    if record.pk not in self.nodes:
                        self._take(record)
                    self.edges |= {(cause, record.pk) for cause in record.cause if cause in self.nodes}
                    if record.pk not in seen:
                        seen.add(record.pk)
                        found.append(record.pk)
            self.cut = len(self.nodes) > LONGEST
            frontier = found

    def _summarise(self, kind: str, model: type[Record], frontier: list[str], count: int) -> None:
        zh, en = _words(model)
        sources = [c for c in frontier if model._default_manager.filter(cause__contains=[c]).exists()]
        number = f"{kind}*{sources[0]}"
        self.nodes[number] = _bare(number, kind, f"{zh} {count} 条", f"{count} {en.lower()}s") | {"facts": {"count": count}}
        self.nodes[number]["at"] = self.nodes[sources[0]]["at"]
        self.edges |= {(source, number) for source in sources}

    def _add_readings(self, numbers: list[str]) -> None:
        parsed = {}
        for number in numbers:
            try:
                parsed[number] = parse_reading_id(number)
            except ValueError:
                continue
        names = {s.number: s for s in Station.objects.filter(number__in={p[0] for p in parsed.values()})}
        for number, (station, quantity, ms) in parsed.items():
            known, place = BY_NUMBER.get(quantity), names.get(station)
            self.codes[number] = place.division_code if place else ""
            zh = f"读数 {place.name if place else station} {known.zh if known else quantity}"
            en = f"Reading, {(place.name_en or place.name) if place else station}, {known.en.lower() if known else quantity}"
            facts = {"station": place.id if place else "", "quantity": known.name if known else quantity, "time_ms": ms}
            value = value_of(station, quantity, ms) if known and len(parsed) <= MANY else None
            if known and value is not None:
                shown = f"{value[0] * known.shown_factor:.4g} {known.shown_unit or known.unit}"
                zh, en = f"{zh} {shown}", f"{en} {shown}"
                facts |= {"value": value[0], "unit": known.unit, "quality": value[1]}
            self.nodes[number] = _bare(number, "read", zh, en) | {"at": from_ms(ms), "facts": facts}

    def _add_steps(self, hazard: Hazard) -> None:
        """A hazard's steps as a chain of nodes behind it: each has its own limit."""
        before, began = hazard.pk, hazard.found_at
        for step in HazardStep.objects.filter(hazard=hazard).exclude(event="find").order_by("id"):
            number = f"hstep-{step.pk}"
            self.codes[number] = hazard.division_code
            node = _bare(number, "hstep", f"隐患 {step.event}：{step.note}", f"Hazard {step.event}: {step.note}")
            node |= {"at": step.at, "who": person_name(step.actor), "facts": {"before": step.before, "after": step.after}}
            node |= {"limit_at": step.limit_at, "used_s": (step.at - began).total_seconds()}
            node["late"] = bool(step.limit_at and step.at > step.limit_at)
            self.nodes[number] = node
            self.edges.add((before, number))
            before, began = number, step.at


class _Plain:
    """Django's connection with psycopg's own cursors: Django's bind on the client, which has no binary results."""

    def cursor(self, *, binary: bool = False, row_factory: Any = None) -> psycopg.Cursor[Any]:
        """A cursor of the store's kind."""
        connection.ensure_connection()
        made: psycopg.Cursor[Any] = psycopg.Cursor(connection.connection, row_factory=row_factory)
        made.format = psycopg.pq.Format.BINARY if binary else psycopg.pq.Format.TEXT
        return made


def value_of(station: int, quantity: int, time_ms: int) -> tuple[float, int] | None:
    """The stored value (SI) and quality of one reading, or None when it is not stored any more."""
    found = readings(_Plain(), station, quantity, time_ms, time_ms)  # type: ignore[arg-type]
    return (float(found.value[0]), int(found.quality[0])) if len(found.value) else None


def _bare(number: str, kind: str, zh: str, en: str) -> dict[str, Any]:
    return {
        "id": number,
        "kind": kind,
        "title": zh,
        "title_en": en,
        "at": None,
        "who": "",
        "facts": {},
        "limit_at": None,
        "used_s": None,
        "late": False,
    }


def _with_people(model: type[Record]) -> models.QuerySet[Any]:
    names = {f.name for f in model._meta.fields if isinstance(f, models.ForeignKey)}
    return model._default_manager.select_related(*[n for n in WHO if n in names])


def _first(record: Record, names: tuple[str, ...]) -> Any:
    return next((v for v in (getattr(record, n, None) for n in names) if v), None)


def _words(model: type[Record]) -> tuple[str, str]:
    ledger = model.LEDGER
    return (ledger.zh, singular(ledger.en)) if ledger else (model.__name__, model.__name__)


def singular(words: str) -> str:
    """One of what a ledger's English name counts: ``Households`` is a Household, ``Cases`` a Case, ``Duties`` a Duty."""
    if words.endswith("ies"):
        return words[:-3] + "y"
    if words.endswith(("ches", "shes", "xes", "sses")):
        return words[:-2]
    return words[:-1] if words.endswith("s") and not words.endswith("ss") else words


def _who(record: Record) -> str:
    post = getattr(record, "post", None)
    person = next((p for p in (getattr(record, n, None) for n in WHO if n != "post") if p), None)
    names = [str(getattr(p, "name", "")) for p in (post, person) if p]
    return f"{names[0]}（{names[1]}）" if len(names) == 2 else "".join(names)


def person_name(actor: str) -> str:
    """The name behind an actor's id; the id itself for the machine's parts."""
    model = kinds()["person"]
    found = model._default_manager.filter(pk=actor).first() if actor.startswith("person-") else None
    return str(getattr(found, "name", actor))


def node_of(record: Record, now: datetime) -> dict[str, Any]:
    """One record as a node: what it is, when, who, against which limit, the facts that matter."""
    zh, en = _words(type(record))
    title = str(getattr(record, "title", "") or getattr(record, "zh", "") or getattr(record, "name", "") or "")
    title_en = str(getattr(record, "title_en", "") or getattr(record, "en", "") or getattr(record, "name_en", "") or title)
    who, at = _who(record), _first(record, AT)
    done, limit = _first(record, DONE), _first(record, LIMIT)
    node = _bare(record.pk, kind_of(record.pk), f"{zh} {title or who}".strip(), f"{en}: {title_en or who}".strip(": "))
    facts = {name: value for name in FACTS if (value := getattr(record, name, None)) not in (None, "", [], {})}
    return node | {
        "at": at,
        "who": who,
        "facts": facts,
        "limit_at": limit,
        "used_s": (done - at).total_seconds() if done and at else None,
        "late": bool(limit and (done or now) > limit and (done or getattr(record, "state", "") not in CLOSED)),
    }


CLOSED = ("cancelled", "withdrawn", "skipped", "dismissed", "refused")
