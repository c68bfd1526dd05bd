"""One cell of a table as the value of a model's field, or a FieldError that names field, value and remedy."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import models

from ..base.clock import BEIJING
from ..base.division import normalise
from ..base.errors import FieldError
from ..base.quantity import BY_NAME
from .roles import NAMES

TRUE = {"1", "true", "yes", "y", "是", "启用", "有"}
FALSE = {"0", "false", "no", "n", "否", "停用", "无"}
WORDS: Mapping[str, Mapping[str, tuple[str, str]]] = {  # columns that take one of a few names, with words that are taken too
    "role": NAMES,
    "quantity": {name: (q.zh, q.en) for name, q in BY_NAME.items()},
    "responsibility.level": {
        "site": ("点位", "Site"),
        "community": ("社区", "Community"),
        "street": ("街道", "Street"),
        "district": ("区", "District"),
    },
    "threshold.mode": {
        "above": ("高于", "Above"),
        "below": ("低于", "Below"),
        "rate": ("速率", "Rate"),
        "sum": ("累计", "Sum"),
    },
}
Field = models.Field  # type: ignore[type-arg]


def words_of(field: Any) -> Mapping[str, tuple[str, str]]:
    """The values that a column takes with their words (zh, en); empty when it is free."""
    if field.choices:
        pairs = ((str(value), str(text).partition("|")) for value, text in field.flatchoices)
        return {value: (text[0], text[2] or value) for value, text in pairs}
    return WORDS.get(field.name) or WORDS.get(f"{field.model._meta.model_name}.{field.name}") or {}


def parse(field: Any, cell: Any) -> Any:
    """The field's value of a cell that is not blank."""
    name = field.name
    words = words_of(field)
    if words:
        return _choice(name, cell, words)
    if name == "division_code" or (name == "code" and field.model._meta.model_name == "division"):
        return normalise(_text(cell))
    for kind, take in _TAKERS:
        if isinstance(field, kind):
            return take(field, cell)
    return _checked_text(field, cell)


def _text(cell: Any) -> str:
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    return str(cell).strip()


def _choice(name: str, cell: Any, words: Mapping[str, tuple[str, str]]) -> str:
    text = _text(cell)
    for value, (zh, en) in words.items():
        if text in (value, zh) or text.lower() in (value.lower(), en.lower()):
            return value
    raise FieldError(
        name,
        text,
        f"应为其中之一：{'、'.join(f'{v}（{zh}）' for v, (zh, _) in words.items())}",
        f"must be one of {', '.join(words)}",
        code="register.bad_choice",
    )


def _bool(field: Any, cell: Any) -> bool:
    text = _text(cell).lower()
    if text in TRUE:
        return True
    if text in FALSE:
        return False
    raise FieldError(field.name, cell, "应为 是 或 否", "must be yes or no")


def _integer(field: Any, cell: Any) -> int:
    number = _number(field, cell)
    top = 32_767 if isinstance(field, models.SmallIntegerField) else 2_147_483_647
    if not number.is_integer() or abs(number) > top:
        raise FieldError(field.name, cell, f"应为 ±{top} 以内的整数", f"must be a whole number within {top}")
    return int(number)


def _number(field: Any, cell: Any) -> float:
    try:
        number = float(cell if isinstance(cell, int | float) else _text(cell))
    except ValueError:
        raise FieldError(field.name, cell, "应为数字，不带单位和千分位", "must be a number without unit or thousands separators") from None
    if isinstance(cell, bool) or not math.isfinite(number):
        raise FieldError(field.name, cell, "应为有限的数字", "must be a finite number")
    limit = {"lon": 180.0, "lat": 90.0}.get(field.name)
    if limit is not None and abs(number) > limit:
        raise FieldError(
            field.name,
            cell,
            f"超出 ±{limit:g}，经纬度可能填反或用了投影坐标，应为十进制度",
            f"is beyond {limit:g}: longitude and latitude swapped, or projected coordinates? Give decimal degrees",
        )
    return number


def _moment(field: Any, cell: Any) -> datetime:
    if isinstance(cell, datetime):
        return cell if cell.tzinfo else cell.replace(tzinfo=BEIJING)
    text = _text(cell).replace("/", "-").replace("年", "-").replace("月", "-").replace("日", "")
    for form in (None, "%Y-%m-%d %H:%M", "%Y-%m-%d"):
        try:
            found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=BEIJING)
    raise FieldError(
        field.name,
        cell,
        "应为 2026-06-14 14:05 这样的时间（不写时区则为北京时间）",
        "must be a time like 2026-06-14 14:05 (Beijing time when no zone is given)",
    )


def _json(field: Any, cell: Any) -> Any:
    try:
        return json.loads(_text(cell))
    except ValueError:
        raise FieldError(field.name, cell, "应为 JSON", "must be JSON") from None


def _checked_text(field: Any, cell: Any) -> str:
    text = _text(cell)
    if "\x00" in text or len(text) > (field.max_length or 100_000):
        raise FieldError(
            field.name, text, f"含有非法字符，或超过 {field.max_length or 100_000} 个字", "holds illegal characters or is too long"
        )
    return text


_TAKERS: tuple[tuple[type[Any], Any], ...] = (
    (models.BooleanField, _bool),
    (models.IntegerField, _integer),
    (models.FloatField, _number),
    (models.DateTimeField, _moment),
    (models.JSONField, _json),
)
