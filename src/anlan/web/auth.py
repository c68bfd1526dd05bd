"""Who is asking: session cookie (with CSRF) for the ui, bearer token for scripts; log-in with a limit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import authenticate, login, logout
from django.db.models import Q
from django.http import HttpRequest
from django.middleware.csrf import get_token
from ninja import Router, Schema
from ninja.security import APIKeyCookie, HttpBearer

from ..base.clock import SystemClock, now_ms, story_speed
from ..base.errors import AnlanError
from ..register.models import DeskNote, Person, Post
from ..register.roles import NAMES
from ..register.scope import Asker, asker_of
from .models import LoginFailure
from .tokens import asker_of_token, make_token

WINDOW = timedelta(minutes=10)
PER_ACCOUNT = 8  # failures of one account within WINDOW before it must wait (NIST SP 800-63B 5.2.2 asks for a limit below 100)
PER_ADDRESS = 60  # failures from one address within WINDOW


def asker_of_user(user: Any) -> Asker | None:
    """The asker of a Django account; None when it is not active or no person is tied to it."""
    if not user.is_authenticated or not user.is_active:
        return None
    person = Person.objects.filter(user_id=user.pk).first()
    return asker_of(person) if person else None


class SessionAuth(APIKeyCookie):
    """The browser's session; unsafe methods need the CSRF header ``X-CSRFToken``."""

    param_name = "sessionid"

    def authenticate(self, request: HttpRequest, key: str | None) -> Asker | None:
        """The asker of the session, put on ``request.asker``."""
        asker = asker_of_user(request.user)
        request.asker = asker  # type: ignore[attr-defined]
        return asker

    def __call__(self, request: HttpRequest) -> Any:
        """Leave requests with a bearer token to `TokenAuth`."""
        if request.headers.get("Authorization") or self.param_name not in request.COOKIES:
            return None
        return super().__call__(request)


class TokenAuth(HttpBearer):
    """A script's token: ``Authorization: Bearer anl_…``."""

    def authenticate(self, request: HttpRequest, token: str) -> Asker | None:
        """The asker of the token, put on ``request.asker``."""
        asker = asker_of_token(token)
        request.asker = asker  # type: ignore[attr-defined]
        return asker


class Credentials(Schema):
    """Account and password."""

    username: str
    password: str


class RoleOut(Schema):
    """A role held, and where."""

    role: str
    zh: str
    en: str
    division_code: str
    post: str


class PersonOut(Schema):
    """The person behind the session."""

    id: str
    name: str


class ClockOut(Schema):
    """The server's clock: UTC ms now, and how many times faster than real it runs (a told story)."""

    now_ms: int
    speed: float


class MeOut(Schema):
    """Who is asking and what they may do; `csrf` goes back as header ``X-CSRFToken``."""

    clock: ClockOut

    person: PersonOut
    roles: list[RoleOut]
    rights: dict[str, list[str]]
    scopes: list[str]
    demo: bool
    administrator: bool
    csrf: str


class TokenOut(Schema):
    """A new token, shown this once."""

    token: str


router = Router(tags=["log-in"])


def _refuse_if_too_many(account: str, address: str) -> None:
    since = SystemClock().now() - WINDOW
    recent = LoginFailure.objects.filter(at__gt=since).filter(Q(account=account) | Q(address=address))
    by_account = sum(1 for f in recent if f.account == account)
    if by_account >= PER_ACCOUNT or len(recent) - by_account >= PER_ADDRESS:
        wait = int(WINDOW.total_seconds())
        raise AnlanError(
            "web.too_many_logins",
            f"登录失败次数过多，请在 {wait // 60} 分钟后再试，或请管理员用 anlan user passwd 重设口令",
            f"too many failed log-ins; try again in {wait // 60} minutes, or have the administrator run `anlan user passwd`",
            retry_after_s=wait,
        )


def check_login(request: HttpRequest, given: Credentials) -> Any:
    """The account of right credentials; AnlanError ``web.no_login`` or ``web.too_many_logins`` else."""
    account, address = given.username.replace("\x00", "").strip().lower()[:150], str(request.META.get("REMOTE_ADDR", ""))
    _refuse_if_too_many(account, address)
    ok = "\x00" not in given.username + given.password and len(given.password) <= 1024
    user = authenticate(request, username=given.username.strip(), password=given.password) if ok else None
    if user is None:
        LoginFailure.objects.create(account=account, address=address)
        LoginFailure.objects.filter(at__lt=SystemClock().now() - timedelta(days=7)).delete()
        raise AnlanError("web.no_login", "用户名或口令不对", "wrong user name or password")
    LoginFailure.objects.filter(account=account).delete()
    return user


def _same_origin(request: HttpRequest) -> None:
    origin = request.headers.get("Origin")
    if origin and origin.partition("://")[2] != request.get_host():
        raise AnlanError("web.forbidden_origin", "登录请求来自其他网站，已拒绝", "log-in from another site is refused")


def describe(request: HttpRequest, asker: Asker) -> dict[str, Any]:
    """The answer of ``/api/me``."""
    posts = Post.objects.filter(Q(person_id=asker.person_id) | Q(person__substitute_id=asker.person_id, person__on_leave=True))
    return {
        "clock": {"now_ms": now_ms(), "speed": story_speed()},
        "person": {"id": asker.person_id, "name": asker.name},
        "roles": [
            {
                "role": p.role,
                "zh": NAMES.get(p.role, (p.role, p.role))[0],
                "en": NAMES.get(p.role, (p.role, p.role))[1],
                "division_code": p.division_code,
                "post": p.name,
            }
            for p in posts
        ],
        "rights": {right: list(prefixes) for right, prefixes in asker.rights.items()},
        "scopes": list(asker.scopes),
        "demo": DeskNote.objects.filter(key="demo").exists(),
        "administrator": bool(getattr(request.user, "is_superuser", False)),
        "csrf": get_token(request),
    }


@router.post("/login", auth=None, response=MeOut, summary="Log in; sets the session cookie")
def log_in(request: HttpRequest, given: Credentials) -> dict[str, Any]:
    """Start a session; 401 for wrong credentials, 429 after too many."""
    _same_origin(request)
    user = check_login(request, given)
    login(request, user)
    asker = asker_of_user(user)
    if asker is None:
        raise _no_person()
    return describe(request, asker)


def _no_person() -> AnlanError:
    return AnlanError(
        "web.no_right_person",
        "此账号没有对应的人员与岗位，只能使用 /admin；请用 anlan user add 关联",
        "this account has no person and post, so it may only use /admin; tie one with `anlan user add`",
    )


@router.post("/logout", summary="End the session")
def log_out(request: HttpRequest) -> dict[str, bool]:
    """Forget the session."""
    logout(request)
    return {"ok": True}


@router.get("/me", response=MeOut, summary="Who am I, and what may I do")
def me(request: HttpRequest) -> dict[str, Any]:
    """The asker with roles, rights and area."""
    return describe(request, request.asker)  # type: ignore[attr-defined]


@router.post("/token", auth=None, response=TokenOut, summary="A bearer token for scripts (30 days)")
def token(request: HttpRequest, given: Credentials) -> dict[str, str]:
    """A new token of the account's person; it is shown once."""
    user = check_login(request, given)
    person = Person.objects.filter(user_id=user.pk).first()
    if person is None:
        raise _no_person()
    return {"token": make_token(person, "POST /api/token", days=30)}
