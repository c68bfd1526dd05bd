"""Errors on the wire: every failure is JSON with ``code``, ``zh`` and ``en``, and the right status."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import override
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError

from ..base.errors import AnlanError, EngineAway, FieldError
from ..base.ids import new_id

log = logging.getLogger("anlan.web")
RETRY_S = 2  # what a browser is told to wait while an engine is away


def status_of(error: AnlanError) -> int:
    """HTTP status of an error: by its class and by the last word of its code."""
    word = error.code.rpartition(".")[2]
    if word == "no_login":
        return 401
    if word.startswith(("no_right", "forbidden")):
        return 403
    if word.startswith(("not_found", "unknown_id", "no_such")):
        return 404
    if word.startswith("already_"):
        return 409
    if word.startswith("too_many"):
        return 429
    if word.startswith("too_large"):
        return 413
    if isinstance(error, FieldError):
        return 400
    if word.startswith("unknown_"):
        return 404
    return 503 if isinstance(error, EngineAway) or error.retry else 400


def not_found(what: str, value: object) -> AnlanError:
    """The error of a record that is not there, or not in the asker's area (the two look the same)."""
    return AnlanError(
        "web.not_found",
        f"没有 {what} {value!s}，或不在您的辖区内",
        f"no {what} {value!s}, or it is outside your area",
        value=str(value)[:80],
    )


def field_errors(error: DjangoValidationError) -> AnlanError:
    """Django's field errors as one error with ``fields: {name: {zh, en}}``."""
    sentences: dict[str, dict[str, str]] = {}
    for language, key in (("zh-hans", "zh"), ("en", "en")):
        with override(language):
            found = error.message_dict if hasattr(error, "error_dict") else {"": error.messages}
            for field, messages in found.items():
                sentences.setdefault(field, {})[key] = " ".join(str(m) for m in messages)
    zh = "；".join(f"{f}：{s['zh']}" for f, s in sentences.items())
    en = "; ".join(f"{f}: {s['en']}" for f, s in sentences.items())
    return AnlanError("web.bad_fields", zh, en, fields=sentences)


def _reply(api: NinjaAPI, request: HttpRequest, data: dict[str, object], status: int) -> HttpResponse:
    response = api.create_response(request, data, status=status)
    if status in (429, 503):
        response["Retry-After"] = str(data.get("retry_after_s", RETRY_S))
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def install(api: NinjaAPI) -> None:
    """Give `api` its error answers."""

    def answer(kind: type[Exception], build: Any) -> None:
        def handle(request: HttpRequest, error: Exception) -> HttpResponse:
            shown = build(error)
            return _reply(api, request, {k: _plain(v) for k, v in shown.as_dict().items()}, shown.facts.get("status") or status_of(shown))

        api.add_exception_handler(kind, handle)  # type: ignore[arg-type]

    answer(AnlanError, lambda e: e)
    answer(DjangoValidationError, field_errors)
    answer(
        AuthenticationError, lambda e: AnlanError("web.no_login", "请先登录，或令牌已失效", "log in first, or the token is no longer valid")
    )
    answer(Http404, lambda e: not_found("资源 resource", ""))
    for away in (OperationalError, InterfaceError):
        answer(away, lambda e: EngineAway("PostgreSQL", str(e).strip().splitlines()[0] if str(e).strip() else type(e).__name__))
    answer(IntegrityError, _conflict)
    answer(DataError, _bad_value)
    answer(ValidationError, _bad_request)
    answer(HttpError, lambda e: AnlanError("web.bad_request", str(e), str(e), status=e.status_code))
    answer(Exception, _internal)


def _plain(value: object) -> object:
    return value if isinstance(value, (str, int, float, bool, dict, list, tuple, type(None))) else str(value)


def _conflict(error: Exception) -> AnlanError:
    detail = str(error).strip().splitlines()[0][:200]
    if "Audit" in detail or "actor" in detail:
        return _internal(error)
    return AnlanError(
        "web.already_exists", f"与已有记录冲突：{detail}", f"conflicts with a record that is already there: {detail}", status=409
    )


def _bad_value(error: Exception) -> AnlanError:
    detail = str(error).strip().splitlines()[0][:200]
    return AnlanError("web.bad_value", f"数据库不接受此值：{detail}", f"the database does not take this value: {detail}", status=400)


def _bad_request(error: Exception) -> AnlanError:
    rows = getattr(error, "errors", [])
    parts = [f"{'.'.join(str(p) for p in row.get('loc', ()))}: {row.get('msg', '')}" for row in rows][:5]
    text = "; ".join(parts)
    return AnlanError("web.bad_request", f"请求参数有误：{text}", f"bad request: {text}", status=400)


def _internal(error: Exception) -> AnlanError:
    number = new_id("err")
    log.error("%s %s", number, type(error).__name__, exc_info=error)
    return AnlanError(
        "web.internal",
        f"服务出错，已记录（{number}）；请把编号告诉系统管理员",
        f"the server failed and logged it ({number}); tell the administrator this number",
        status=500,
        number=number,
    )
