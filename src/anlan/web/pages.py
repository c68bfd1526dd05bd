"""What is not API: the built ui (by WhiteNoise, precompressed where there), its fallback, security headers, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter
from typing import Any

import django
from prometheus_client import Counter, Histogram
from whitenoise import WhiteNoise

from ..base import settings as conf

STATIC = Path(__file__).parent / "static"
DJANGO_PATHS = ("/api/", "/admin/", "/admin", "/api", "/metrics")
REQUESTS = Counter("anlan_web_requests", "HTTP requests answered", ["method", "status"])
SECONDS = Histogram(
    "anlan_web_request_seconds", "Time to answer, seconds", ["kind"], buckets=(0.005, 0.02, 0.05, 0.1, 0.3, 1, 3, 10)
)  # kind: api, page
_NOT_BUILT = """<!doctype html><html lang=zh-CN><meta charset=utf-8><title>安澜</title>
<style>body{font:16px/1.7 system-ui,'Noto Sans CJK SC',sans-serif;max-width:640px;margin:12vh auto;padding:0 24px}
code{background:#8882}</style><h1>安澜 · Anlan</h1>
<p>界面尚未构建。在源码目录运行 <code>python tools/build_ui.py</code>（<code>./run demo</code> 会自动构建），再刷新本页。</p>
<p lang=en>The user interface has not been built. Run <code>python tools/build_ui.py</code> in the source folder
(<code>./run demo</code> does it by itself), then reload.</p><p><a href=/api/docs>API</a></p></html>"""


def content_policy() -> str:
    """The Content-Security-Policy: own origin only, blob workers for the map, and the hosts of a set base map."""
    hosts = " ".join(str(conf.get("BASEMAP_HOSTS")).split())
    return (
        f"default-src 'self'; script-src 'self'; worker-src 'self' blob:; child-src 'self' blob:; "
        f"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: {hosts}; connect-src 'self' {hosts}; "
        "font-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
    )


def security_headers() -> list[tuple[str, str]]:
    """Headers put on every answer."""
    return [
        ("Content-Security-Policy", content_policy()),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "geolocation=(self), camera=(self), microphone=()"),
    ]


def _files(root: Path) -> WhiteNoise:
    hashed = r"^/assets/.*-[\w-]{8}\."
    files = WhiteNoise(None, root=str(root) if root.is_dir() else None, allow_all_origins=False, immutable_file_test=hashed)
    files.add_files(str(Path(django.__file__).parent / "contrib/admin/static"), prefix="/static/")
    return files


def site(wsgi: Callable[[dict[str, Any], Any], Iterable[bytes]], root: Path = STATIC) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    """The WSGI application of everything: files first, then Django, then the ui's own router (``index.html``)."""
    files, extra = _files(root), security_headers()
    index = root / "index.html"

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if path in ("", "/"):
            path = "/index.html"
        static = files.files.get(path)
        if static is not None:
            return files.serve(static, environ, start)
        if path.startswith(DJANGO_PATHS):
            return wsgi(environ, start)
        is_file = path != "/index.html" and (path.startswith(("/assets/", "/static/")) or "." in path.rpartition("/")[2][:-1])
        if method not in ("GET", "HEAD") or is_file:
            start("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"not found\n"]
        body = index.read_bytes() if index.is_file() else _NOT_BUILT.encode()
        status = "200 OK" if index.is_file() else "503 Service Unavailable"
        start(status, [("Content-Type", "text/html; charset=utf-8"), ("Cache-Control", "no-cache"), ("Content-Length", str(len(body)))])
        return [b"" if method == "HEAD" else body]

    def measured(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        began = perf_counter()

        def start_with(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            known = {name.lower() for name, _ in headers}
            REQUESTS.labels(environ["REQUEST_METHOD"] if environ["REQUEST_METHOD"].isalpha() else "?", status[:3]).inc()
            return start(status, headers + [h for h in extra if h[0].lower() not in known], exc_info)

        try:
            return answer(environ, start_with)
        finally:
            SECONDS.labels("api" if environ["PATH_INFO"].startswith("/api") else "page").observe(perf_counter() - began)

    return measured
