"""The API: every room's ``api.router`` is found by scan and mounted under ``/api``."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from functools import lru_cache
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Router
from ninja.renderers import BaseRenderer

import anlan

from . import auth, errors


class FastJson(BaseRenderer):
    """JSON by orjson; NumPy columns go straight to text, NaN becomes null."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        """The bytes of `data`; times are ISO 8601 with ``Z``."""
        return dumps(data)


def dumps(data: Any) -> bytes:
    """JSON bytes of plain data, NumPy arrays, datetimes (``…Z``)."""
    return orjson.dumps(data, default=_other, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def as_json(data: Any, status: int = 200) -> HttpResponse:
    """A JSON answer of plain data and NumPy columns, never kept by the browser."""
    return HttpResponse(dumps(data), content_type="application/json", status=status, headers={"Cache-Control": "no-store"})


def _other(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return str(value)


def room_routers() -> dict[str, Router]:
    """Room name to its router, for every room with an ``api.py``; one that cannot be imported stops the start."""
    found: dict[str, Router] = {}
    for room in sorted(m.name for m in pkgutil.iter_modules(anlan.__path__) if m.ispkg):
        if room != "web" and importlib.util.find_spec(f"anlan.{room}.api"):
            router = getattr(importlib.import_module(f"anlan.{room}.api"), "router", None)
            if isinstance(router, Router):
                found[room] = router
    return found


def own_routers() -> dict[str, Router]:
    """The routers of this room: every module of it that has one."""
    package = importlib.import_module("anlan.web")
    found: dict[str, Router] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
        if info.ispkg or info.name in ("app", "asgi", "urls", "models"):
            continue
        router = getattr(importlib.import_module(f"anlan.web.{info.name}"), "router", None)
        if isinstance(router, Router):
            found[info.name] = router
    return found


@lru_cache(maxsize=1)
def api() -> NinjaAPI:
    """The one API object of this process."""
    built = NinjaAPI(
        title="安澜 Anlan",
        version=anlan.__version__,
        description="Times are ISO 8601 UTC; columns of time are UTC ms; coordinates WGS-84 [lon, lat].",
        auth=[auth.SessionAuth(), auth.TokenAuth()],
        renderer=FastJson(),
        docs_url=None,
        urls_namespace="anlan",
    )
    errors.install(built)
    for name, router in {**own_routers(), **room_routers()}.items():
        built.add_router("", router, tags=router.tags or [name])
    return built
