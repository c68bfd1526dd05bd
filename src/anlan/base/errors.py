"""Errors that say what is wrong, with which value, and what to do, in both languages."""

from __future__ import annotations


class AnlanError(Exception):
    """Base of all errors that a user may see.

    Parameters
    ----------
    code : str
        Stable dotted code, e.g. ``collect.unknown_quantity``; listed in the docs.
    zh, en : str
        One sentence each: what is wrong and the remedy.
    retry : bool
        Whether the same call may succeed later (engine away, disk full).
    """

    def __init__(self, code: str, zh: str, en: str, *, retry: bool = False, **facts: object):
        super().__init__(f"{code}: {en}")
        self.code, self.zh, self.en, self.retry, self.facts = code, zh, en, retry, facts

    def as_dict(self) -> dict[str, object]:
        """The error as JSON-ready data: ``code, zh, en, retry`` and its facts."""
        return {"code": self.code, "zh": self.zh, "en": self.en, "retry": self.retry, **self.facts}


class FieldError(AnlanError):
    """A field holds a value that cannot be taken; names field, value and remedy."""

    def __init__(self, field: str, value: object, zh: str, en: str, *, code: str = "base.bad_field"):
        shown = repr(value)
        shown = shown if len(shown) <= 80 else shown[:77] + "..."
        super().__init__(code, f"{field} = {shown}：{zh}", f"{field} = {shown}: {en}", field=field, value=shown)


class EngineAway(AnlanError):
    """The database, the log or another engine cannot be reached now; try again."""

    def __init__(self, engine: str, detail: str):
        super().__init__(
            "engines.away",
            f"{engine} 暂不可用：{detail}。数据未确认，设备会重发；系统会自动重连。",
            f"{engine} is away: {detail}. Nothing was acknowledged; devices resend, the connection is retried.",
            retry=True,
            engine=engine,
        )
