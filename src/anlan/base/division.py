"""Administrative division codes (GB/T 2260 and GB/T 10114): 12 digits, a parent is a prefix.

Levels by length of the significant prefix: province 2, city 4, county 6, township 9,
village 12. A code is kept at its own length (``440303`` is a district, ``440303001`` a
street), so that scope is a plain prefix match.
"""

from __future__ import annotations

from .errors import FieldError

LEVELS = {2: "province", 4: "city", 6: "county", 9: "township", 12: "village"}


def normalise(code: str) -> str:
    """Cut a 12-digit code to its significant prefix; raises FieldError when it is none.

    >>> normalise("440303000000"), normalise("440303001001")
    ('440303', '440303001001')
    """
    text = str(code).strip()
    if not text.isdigit() or len(text) not in (2, 4, 6, 9, 12):
        raise FieldError(
            "division_code",
            code,
            "应为 2/4/6/9/12 位数字区划代码",
            "use a division code of 2, 4, 6, 9 or 12 digits",
            code="base.bad_division",
        )
    if len(text) == 12:
        for length in (2, 4, 6, 9):
            if set(text[length:]) == {"0"}:
                return text[:length]
    return text


def level(code: str) -> str:
    """``province``, ``city``, ``county``, ``township`` or ``village``."""
    return LEVELS[len(code)]


def ancestors(code: str) -> list[str]:
    """The code itself and all its parents, nearest first."""
    return [code[:n] for n in (12, 9, 6, 4, 2) if n <= len(code)]


def covers(scope: str, code: str) -> bool:
    """Whether `code` lies in `scope` (empty scope covers everything)."""
    return code.startswith(scope)
