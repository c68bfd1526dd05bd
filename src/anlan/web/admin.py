"""Django's admin, for the system administrator only: accounts, and every table to look at (ledgers are read-only here)."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import BinaryField, JSONField, TextField
from django.http import HttpRequest

SHOWN = 6  # columns of a list


class ReadOnly(admin.ModelAdmin):
    """A table to look at; rows change through the rooms' services, never here."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The administrator."""
        return bool(request.user.is_active and request.user.is_superuser)

    has_module_permission = has_view_permission  # type: ignore[assignment]


def register_all() -> None:
    """Every model of every room, with its first columns; secrets and blobs are left out."""
    for model in apps.get_models():
        if model.__module__.startswith("anlan.") and not admin.site.is_registered(model):
            fields = [f for f in model._meta.fields if not isinstance(f, BinaryField) and "secret" not in f.name]
            columns = [f.name for f in fields if not isinstance(f, (JSONField,))][:SHOWN]
            search = [f.name for f in fields if isinstance(f, TextField)][:3]
            options = {"list_display": columns, "search_fields": search, "fields": [f.name for f in fields]}
            admin.site.register(model, type(f"{model.__name__}Admin", (ReadOnly,), options))


admin.site.site_header = "安澜 · 系统管理"
admin.site.site_title = "Anlan"
admin.site.has_permission = lambda request: bool(request.user.is_active and request.user.is_superuser)  # type: ignore[method-assign]
register_all()
