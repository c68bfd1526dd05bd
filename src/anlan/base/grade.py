"""The four national warning grades, BLUE < YELLOW < ORANGE < RED.

Source: Emergency Response Law of the PRC (warning grades one to four, marked red, orange,
yellow, blue). `CLEAR` (0) is "no warning" and is never issued. Colour is always shown with
word and shape (docs: design).
"""

from __future__ import annotations

from enum import IntEnum


class Grade(IntEnum):
    """Warning grade; a larger number is worse."""

    CLEAR = 0
    BLUE = 1
    YELLOW = 2
    ORANGE = 3
    RED = 4

    @property
    def word(self) -> str:
        """Lower-case English word used in JSON: ``red``."""
        return self.name.lower()

    @property
    def zh(self) -> str:
        """The colour in Chinese."""
        return "无蓝黄橙红"[self]

    @property
    def roman(self) -> str:
        """Roman grade: red is I, blue IV; empty for CLEAR."""
        return ("", "IV", "III", "II", "I")[self]

    @property
    def cap_severity(self) -> str:
        """CAP 1.2 severity (mapping of CMA's own CAP messages)."""
        return ("Unknown", "Minor", "Moderate", "Severe", "Extreme")[self]

    @classmethod
    def of(cls, word: str) -> Grade:
        """The grade of an English word, any case; raises KeyError for others."""
        return cls[word.upper()]
