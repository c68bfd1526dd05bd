"""`Record`: what every row of every ledger has, and `Ledger`: how people see it.

Rule: an id that says its kind, a division code (scope is a prefix match on it), times, and
the ids of what it came from (``cause``), so that any record can be walked back to a reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from ..base.ids import new_id


@dataclass(frozen=True, slots=True)
class Ledger:
    """How the generic pages draw a model: titles, list columns, filters, search, sort, rights.

    ``editable`` are the fields a generic form may write (never a workflow's state);
    ``right`` is the role that may write (see ``register.roles``); ``actions`` are names of
    service calls offered on a row. ``group`` is the menu heading (zh, en).
    """

    zh: str
    en: str
    columns: tuple[str, ...]
    filters: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    order: tuple[str, ...] = ("id",)
    editable: tuple[str, ...] = ()
    right: str = "register"
    actions: tuple[str, ...] = ()
    group: tuple[str, str] = ("名录", "Register")


def label(zh: str, en: str) -> str:
    """A field's verbose name in both languages (``zh|en``; the API splits it)."""
    return f"{zh}|{en}"


class Record(models.Model):
    """Abstract base of ledgers. `KIND` is the id prefix and must be unique in the house."""

    KIND: ClassVar[str] = ""
    LEDGER: ClassVar[Ledger | None] = None
    AUDIT: ClassVar[str] = "ledger"  # see engines.ledger: ledger, append or none

    id = models.TextField(primary_key=True, editable=False, verbose_name=label("编号", "Id"))
    division_code = models.CharField(max_length=12, db_index=True, blank=True, default="", verbose_name=label("区划", "Division"))
    created_at = models.DateTimeField(auto_now_add=True, verbose_name=label("建立", "Created"))
    updated_at = models.DateTimeField(auto_now=True, verbose_name=label("更新", "Updated"))
    cause = ArrayField(models.TextField(), default=list, blank=True, verbose_name=label("来由", "Cause"))

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store; a record without an id gets a new one of its kind."""
        if not self.id:
            self.id = new_id(self.KIND)
        super().save(*args, **kwargs)

    def __str__(self) -> str:
        return str(getattr(self, "name", "") or getattr(self, "title", "") or self.id)
