"""What other rooms and the api ask of the register: who answers, who is appointed, what was signed, what exists."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any

from django.db import connection
from django.db.models import F, Max, Q

from ..base.clock import SystemClock
from ..base.division import ancestors, level, normalise
from ..base.errors import AnlanError, FieldError
from ..engines.outbox import acting, emit
from .models import Device, Division, Leave, Organisation, Person, Post, Responsibility, Tenure, Threshold
from .provision import Provisioned, provision
from .roles import RIGHTS

__all__ = ["Provisioned", "provision"]

LEVELS = ("site", "community", "street", "district")  # order of calling, nearest first


@dataclass(frozen=True, slots=True)
class Answerer:
    """One post that answers for an object, and the person who would be called for it.

    ``person_id`` is empty when the post is vacant. ``stands_in_for`` names the holder on leave.
    """

    responsibility_id: str
    post_id: str
    post: str
    level: str
    order: int
    division_code: str
    person_id: str
    person: str
    phone: str
    email: str
    stands_in_for: str = ""


def answerable(object_id: str, division_code: str, at: datetime | None = None) -> list[Answerer]:
    """Who answers for an object now (`at` None), or who did on that day: nearest level first, in calling order.

    Taken are the responsibilities for the object itself and for every division that holds it. The
    holder is the post's (on that day, by the tenures kept by the database); a holder on leave is
    replaced by the substitute. A vacant post is listed without a person: the caller skips it and
    the desk sees it. Each post appears once, at its nearest level.
    """
    when = at or SystemClock().now()
    areas = ancestors(normalise(division_code)) if division_code else []
    rows = list(
        Responsibility.objects.filter(object_id__in=[object_id, *areas], valid_from__lte=when)
        .filter(Q(valid_to__isnull=True) | Q(valid_to__gt=when))
        .select_related("post__person__substitute")
    )
    rows.sort(key=lambda r: (_rank(r.level), -len(r.object_id) if r.object_id in areas else -99, r.order, r.id))
    posts = {row.post_id: row.post for row in rows}
    holders = _holders_at(posts, at) if at else {pk: post.person for pk, post in posts.items()}
    leaves = _leaves_at([p for p in holders.values() if p], at) if at else None
    out: dict[str, Answerer] = {}
    for row in rows:
        out.setdefault(row.post_id, _answerer(row, holders.get(row.post_id), leaves))
    return list(out.values())


def _rank(name: str) -> int:
    return LEVELS.index(name) if name in LEVELS else len(LEVELS)


def _holders_at(posts: dict[str, Post], at: datetime) -> dict[str, Person | None]:
    rows = Tenure.objects.filter(post_id__in=posts).filter(_covers(at)).select_related("person__substitute").order_by("id")
    return {row.post_id: row.person for row in rows}


def _leaves_at(people: list[Person], at: datetime) -> dict[str, Person | None]:
    rows = Leave.objects.filter(person__in=people).filter(_covers(at)).select_related("substitute")
    return {row.person_id: row.substitute for row in rows}


def _covers(at: datetime) -> Q:
    return (Q(from_at__isnull=True) | Q(from_at__lte=at)) & (Q(to_at__isnull=True) | Q(to_at__gt=at))


def _answerer(row: Responsibility, holder: Person | None, leaves: dict[str, Person | None] | None) -> Answerer:
    person, stands_in_for = holder, ""
    if holder is not None:
        away = holder.on_leave if leaves is None else holder.id in leaves
        substitute = holder.substitute if leaves is None else leaves.get(holder.id)
        if away:
            person, stands_in_for = substitute, holder.name
    return Answerer(
        row.id,
        row.post_id,
        row.post.name,
        row.level,
        row.order,
        row.post.division_code,
        person.id if person else "",
        person.name if person else "",
        person.phone if person else "",
        person.email if person else "",
        stands_in_for,
    )


def _told(now: datetime | None) -> datetime:
    """The time of a change, told to the database's history triggers too; call inside `acting`."""
    when = now or SystemClock().now()
    with connection.cursor() as cursor:
        cursor.execute("select set_config('anlan.now', %s, true)", [when.isoformat()])
    return when


def create_user(person: Person, username: str, password: str, *, actor: str, staff: bool = False) -> Person:
    """Give a person a log-in (``register.user_taken`` when the name is somebody else's); the same name again resets the password."""
    from django.contrib.auth import get_user_model

    model = get_user_model()
    with acting(actor):
        user = model.objects.filter(username=username).first()
        if user is not None and Person.objects.filter(user=user).exclude(pk=person.pk).exists():
            raise AnlanError(
                "register.user_taken", f"用户名 {username} 已被占用，请换一个", f"user name {username} is taken, choose another"
            )
        user = user or model(username=username)
        user.is_staff = user.is_superuser = staff
        user.set_password(password)
        user.save()
        person.user = user
        person.save(update_fields=["user", "updated_at"])
    return person


def create_person(
    name: str,
    division_code: str,
    *,
    actor: str,
    phone: str = "",
    email: str = "",
    username: str = "",
    password: str = "",
    **fields: Any,
) -> Person:
    """A new person, with a log-in when a user name is given."""
    with acting(actor):
        person = Person(name=name, division_code=normalise(division_code), phone=phone, email=email, **fields)
        person.save()
        return create_user(person, username, password, actor=actor) if username else person


def create_post(name: str, organisation: Organisation, role: str, division_code: str, *, actor: str, person: Person | None = None) -> Post:
    """A new post; its role decides the rights, its division the area (FieldError for an unknown role)."""
    if role not in RIGHTS:
        raise FieldError("role", role, f"应为 {'、'.join(RIGHTS)}", f"must be one of {', '.join(RIGHTS)}")
    with acting(actor):
        post = Post(name=name, organisation=organisation, role=role, division_code=normalise(division_code), person=person)
        post.save()
    return post


def appoint(post: Post, person: Person | None, *, actor: str, now: datetime | None = None) -> Post:
    """Put a person (or nobody) on a post from `now`; the tenure before stays on record."""
    with acting(actor):
        _told(now)
        post.person = person
        post.save(update_fields=["person", "updated_at"])
    return post


def set_leave(person: Person, on_leave: bool, substitute: Person | None = None, *, actor: str, now: datetime | None = None) -> Person:
    """Send a person on leave (or back); their calls and tasks go to the substitute. Nobody stands in for themselves."""
    if substitute is not None and substitute.pk == person.pk:
        raise FieldError("substitute", person.name, "代班人不能是本人", "a person cannot stand in for themselves")
    with acting(actor):
        _told(now)
        person.on_leave, person.substitute = on_leave, substitute or person.substitute
        person.save(update_fields=["on_leave", "substitute", "updated_at"])
    return person


def make_answerable(
    object_id: str, post: Post, level_name: str, order: int = 1, *, actor: str, valid_from: datetime, valid_to: datetime | None = None
) -> Responsibility:
    """Let a post answer for an object (site id, or division code for an area) at a level."""
    if level_name not in LEVELS:
        raise FieldError("level", level_name, f"应为 {'、'.join(LEVELS)}", f"must be one of {', '.join(LEVELS)}")
    with acting(actor):
        row, _ = Responsibility.objects.update_or_create(
            object_id=object_id,
            post=post,
            level=level_name,
            valid_to=valid_to,
            defaults={"order": order, "valid_from": valid_from, "division_code": post.division_code},
        )
    return row


def sign_threshold(threshold_id: str, signer: Person, *, now: datetime | None = None) -> Threshold:
    """Sign a draft: it gets the next version of its scope and counts from `now`; the version before ends then.

    Raises ``register.already_signed`` when it is signed already and ``register.threshold_empty``
    when it holds no level. Emits ``register.threshold.signed`` (subject: its id), which recompiles the lanes.
    """
    with acting(signer.id):
        when = _told(now)
        row = Threshold.objects.select_for_update(of=("self",)).filter(pk=threshold_id).first()
        if row is None:
            raise AnlanError("register.not_found", f"没有阈值 {threshold_id}", f"no threshold {threshold_id}")
        if row.signed_by_id:
            raise AnlanError("register.already_signed", f"阈值 {row.id} 已签发", f"threshold {row.id} is signed already")
        if row.blue is None and row.yellow is None and row.orange is None and row.red is None:
            raise AnlanError(
                "register.threshold_empty", "阈值没有任何一级，请填写后再签发", "no level is set; fill in at least one, then sign"
            )
        same = Threshold.objects.filter(
            quantity=row.quantity,
            station=row.station,
            site=row.site,
            station_kind=row.station_kind,
            mode=row.mode,
            window_s=row.window_s,
            signed_by__isnull=False,
        )
        newest = same.aggregate(v=Max("version"))["v"] or 0
        replaced = list(same.filter(valid_to__isnull=True).values_list("id", flat=True))
        same.filter(valid_to__isnull=True).update(valid_to=when, updated_at=when)
        row.version, row.valid_from, row.signed_by = newest + 1, when, signer
        row.cause = [*row.cause, *(r for r in replaced if r not in row.cause)]
        row.save()
        emit("register.threshold.signed", row.id, {"version": row.version, "quantity": row.quantity}, division_code=row.division_code)
    return row


def rotate_secret(device_id: str, *, actor: str) -> str:
    """A new secret for a device, shown once and never stored; the old one stops at the next log-in."""
    from .credentials import hash_secret

    secret = secrets.token_urlsafe(24)
    with acting(actor):
        if not Device.objects.filter(pk=device_id).update(secret_hash=hash_secret(secret), updated_at=SystemClock().now()):
            raise AnlanError("register.not_found", f"没有设备 {device_id}", f"no device {device_id}")
        emit("register.device.rotated", device_id, key=f"register.device.rotated:{device_id}:{secrets.token_hex(8)}")
    return secret


def load_divisions(prefixes: Iterable[str], *, actor: str) -> int:
    """Store the shipped divisions under these prefixes, and their parents; outlines already there stay. Returns how many."""
    wanted = [normalise(p) for p in prefixes]
    text = resources.files("anlan.register").joinpath("data/divisions.csv").read_text("utf-8")
    rows = [
        Division(code=r["code"], name=r["name"], name_en=r["name_en"], level=level(r["code"]))
        for r in csv.DictReader(text.splitlines())
        if any(r["code"].startswith(p) or p.startswith(r["code"]) for p in wanted)
    ]
    if not rows:
        raise FieldError(
            "prefixes", wanted, "随附的区划表没有这些代码，请用 anlan import division 导入", "the shipped table has none; import your own"
        )
    with acting(actor):
        Division.objects.bulk_create(rows, update_conflicts=True, unique_fields=["code"], update_fields=["name", "name_en", "level"])
    return len(rows)


def posts_of(person_id: str) -> list[str]:
    """Ids of the posts a person answers for now: their own, and those of people on leave whom they stand in for."""
    held = Q(person_id=person_id) | Q(person__substitute_id=person_id, person__on_leave=True)
    return list(Post.objects.filter(held).order_by(F("id")).values_list("id", flat=True))
