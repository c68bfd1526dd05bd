"""What a new installation needs before its rooms start: schema, a first administrator, a token, test devices.

Idempotent: a second start changes nothing. Secrets shown once are kept in the data folder with mode 0600,
because a later `up --json` has to name them again.
"""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path
from typing import Any

from ..base import settings as conf
from ..base.clock import SystemClock
from ..engines import installed
from ..engines.database import migrate
from ..engines.outbox import acting
from ..issue import signing
from ..register.devices import provision_test_devices, still_registered
from ..register.models import Organisation, Person, Post

ACTOR = "system:prepare"


def _keep(path: Path, text: str) -> None:
    """Write a secret file that only this user can read."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def first_administrator() -> tuple[Person, str]:
    """The system administrator and, when they were made just now, their first password (else empty)."""
    from django.contrib.auth import get_user_model

    post = Post.objects.filter(role="admin", person__isnull=False).select_related("person").order_by("id").first()
    if post is not None and post.person is not None:
        return post.person, ""
    password = secrets.token_urlsafe(9)
    with acting(ACTOR):
        user = get_user_model().objects.create_superuser("admin", "", password)
        office, _ = Organisation.objects.get_or_create(name="系统管理", defaults={"kind": "department"})
        person = Person.objects.create(name="系统管理员", user=user)
        Post.objects.create(name="系统管理员", organisation=office, person=person, role="admin")
    return person, password


def first_login(data: Path) -> tuple[Person, dict[str, str]]:
    """The administrator; the log-in to show at the first start, kept in ``first-login.txt`` (delete it after use)."""
    person, password = first_administrator()
    if not password:
        return person, {}
    _keep(data / "first-login.txt", f"username: admin\npassword: {password}\n")
    return person, {"username": "admin", "password": password}


def bearer_token(data: Path, person: Person) -> str:
    """An API token of the administrator: the kept one while it is valid, else a new one."""
    from ..web.tokens import asker_of_token, make_token

    path = data / "token"
    if path.exists():
        token = path.read_text(encoding="utf-8").strip()
        if token and asker_of_token(token) is not None:
            return token
    token = make_token(person, name="anlan up")
    _keep(path, token)
    return token


def test_devices(data: Path, count: int) -> list[dict[str, str]]:
    """`count` test devices with their secrets; those of the last start while the register still has them."""
    path = data / "test-devices.json"
    if path.exists():
        kept: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
        if len(kept) >= count and still_registered(kept[:count]):
            return kept[:count]
    devices = provision_test_devices(count, actor=ACTOR)
    _keep(path, json.dumps(devices, ensure_ascii=False))
    return devices


def prepare(devices: int = 0) -> dict[str, Any]:
    """Do it all; the facts that ``up`` prints. Needs `engines.project.setup`."""
    data = conf.data_folder()
    signing.pin_own(data)  # makes the key; refuses a sender that is none before anything starts
    applied = migrate()
    installed.fix()
    person, login = first_login(data)
    facts: dict[str, Any] = {"token": bearer_token(data, person), "migrated": len(applied)}
    if login:
        facts["login"] = login
    if devices:
        facts["devices"] = test_devices(data, devices)
    facts["prepared_at"] = SystemClock().now().isoformat()
    return facts
