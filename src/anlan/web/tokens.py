"""Bearer tokens for scripts: made here, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from ..base.clock import SystemClock
from ..register.models import Person
from ..register.scope import Asker, asker_of
from .models import ApiToken

PREFIX = "anl_"


def hashed(token: str) -> str:
    """SHA-256 (hex) of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def make_token(person: Person, name: str = "", days: float | None = None) -> str:
    """A new token of `person`, valid for `days` (None: until revoked); the caller shows it, we keep its hash."""
    token = PREFIX + secrets.token_urlsafe(32)
    expires = SystemClock().now() + timedelta(days=days) if days is not None else None
    ApiToken.objects.create(hash=hashed(token), person=person, name=name, expires_at=expires)
    return token


def asker_of_token(token: str) -> Asker | None:
    """The asker of a token; None when it is unknown, expired or revoked. Marks its use (once a minute)."""
    row = ApiToken.objects.select_related("person").filter(hash=hashed(token), revoked_at=None).first()
    now = SystemClock().now()
    if row is None or (row.expires_at and row.expires_at <= now):
        return None
    if row.used_at is None or now - row.used_at > timedelta(minutes=1):
        ApiToken.objects.filter(pk=row.pk).update(used_at=now)
    return asker_of(row.person)
