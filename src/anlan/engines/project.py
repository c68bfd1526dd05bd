"""Django configured for Anlan: call `setup()` once per process before touching models.

The installed apps are found by scan (every room with a ``models.py``), nothing is listed.
"""

from __future__ import annotations

import importlib.util
import os
import pkgutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import anlan

from ..base import settings as conf
from ..base.clock import SystemClock, story


def rooms_with_models() -> list[str]:
    """Dotted names of all rooms that have a ``models`` module."""
    names = [m.name for m in pkgutil.iter_modules(anlan.__path__) if m.ispkg]
    return [f"anlan.{n}" for n in sorted(names) if importlib.util.find_spec(f"anlan.{n}.models")]


def database_from_url(url: str) -> dict[str, Any]:
    """Django's DATABASES entry of a libpq URL (socket folders in ``?host=`` included)."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    host = query.pop("host", None) or parts.hostname or ""
    port = query.pop("port", None) or parts.port or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or query.pop("user", "")),
        "PASSWORD": unquote(parts.password or query.pop("password", "")),
        "HOST": host,
        "PORT": str(port),
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


def secret_key(data: Path) -> str:
    """The web signing key: the setting, else one made once in the data folder (mode 600)."""
    given = conf.get("SECRET_KEY")
    if given:
        return str(given)
    path = data / "secret.key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text()
        with os.fdopen(handle, "w") as file:
            file.write(os.urandom(32).hex())
    return path.read_text()


def setup(database_url: str | None = None) -> None:
    """Configure and load Django (idempotent). The URL defaults to ``ANLAN_DATABASE_URL``."""
    import django
    from django.conf import settings
    from django.utils import timezone

    if not settings.configured:
        url = database_url or conf.get("DATABASE_URL") or "postgresql:///anlan"
        settings.configure(
            SECRET_KEY=secret_key(conf.data_folder()),
            DEBUG=False,
            ALLOWED_HOSTS=["*"],
            DATABASES={"default": database_from_url(url)},
            INSTALLED_APPS=[
                "django.contrib.contenttypes",
                "django.contrib.auth",
                "django.contrib.sessions",
                "django.contrib.messages",
                "django.contrib.staticfiles",
                "django.contrib.admin",
                *rooms_with_models(),
            ],
            MIDDLEWARE=[
                "django.middleware.security.SecurityMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.middleware.common.CommonMiddleware",
                "django.middleware.csrf.CsrfViewMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware",
            ],
            TEMPLATES=[
                {
                    "BACKEND": "django.template.backends.django.DjangoTemplates",
                    "APP_DIRS": True,
                    "OPTIONS": {
                        "context_processors": [
                            "django.template.context_processors.request",
                            "django.contrib.auth.context_processors.auth",
                            "django.contrib.messages.context_processors.messages",
                        ]
                    },
                }
            ],
            ROOT_URLCONF="anlan.web.urls",
            STATIC_URL="/static/",
            USE_TZ=True,
            TIME_ZONE="Asia/Shanghai",
            LANGUAGE_CODE="zh-hans",
            DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Lax",
            SESSION_COOKIE_AGE=14 * 86400 if story() else 12 * 3600,  # one shift; a told story runs through days
            SESSION_COOKIE_SECURE=bool(conf.get("SECURE")),
            CSRF_COOKIE_SECURE=bool(conf.get("SECURE")),
            SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https") if conf.get("SECURE") else None,
            DATA_UPLOAD_MAX_MEMORY_SIZE=64 * 1024 * 1024,
            AUTH_PASSWORD_VALIDATORS=[
                {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
                {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
                {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
            ],
            X_FRAME_OPTIONS="SAMEORIGIN",
            LOGGING_CONFIG=None,
        )
    if story():
        timezone.now = SystemClock().now
    django.setup()
