"""Layouts of binary bodies, said once and used both ways: bytes to named fields, named fields to bytes.

A layout is a tuple of fields; each field reads itself from a `Reader` into a dict, and writes itself from
a dict into a `Writer`. Byte order belongs to the reader or writer. Texts are GB18030 (a superset of the
GBK and GB 2312 of the standards), NUL ends them. Bytes that do not fit a field raise `LayoutError`; what a
layout does not consume is kept as hex under ``rest``. Values that do not fit on the way out raise FieldError.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ...base.errors import FieldError

Layout = Sequence["Field"]
HEX = "hex:"  # a text that is no GB18030 is shown, and taken back, as this and its bytes


class LayoutError(Exception):
    """Bytes that do not fit a layout: code (`bad_length`, `bad_field`) and detail."""

    def __init__(self, code: str, detail: str):
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


class Reader:
    """A place in bytes. `edition` is the year of the standard that is spoken."""

    __slots__ = ("at", "data", "edition", "options", "order")

    def __init__(self, data: bytes, order: Any = "big", edition: int = 0, options: Mapping[str, Any] | None = None):
        self.data, self.at, self.order, self.edition, self.options = data, 0, order, edition, options or {}

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.at

    def take(self, n: int, what: str = "") -> bytes:
        """The next `n` bytes; LayoutError when there are fewer."""
        end = self.at + n
        if n < 0 or end > len(self.data):
            raise LayoutError("bad_length", f"{what or 'body'}: {n} bytes wanted, {self.left} left")
        part = self.data[self.at : end]
        self.at = end
        return part

    def number(self, n: int, what: str = "") -> int:
        """The next `n` bytes as an unsigned number."""
        return int.from_bytes(self.take(n, what), self.order)


class Writer:
    """Bytes being put together."""

    __slots__ = ("data", "edition", "order")

    def __init__(self, order: Any = "big", edition: int = 0):
        self.data, self.order, self.edition = bytearray(), order, edition

    def number(self, value: Any, n: int, what: str) -> None:
        """An unsigned number of `n` bytes; FieldError when it is none or too large."""
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 8 * n:
            top = (1 << 8 * n) - 1
            raise FieldError(what, value, f"应为 0 到 {top} 的整数", f"must be a whole number from 0 to {top}")
        self.data += value.to_bytes(n, self.order)


def text_of(data: bytes) -> str:
    """GB18030 text up to its first NUL, blanks at the ends cut."""
    data = data.split(b"\0", 1)[0]
    try:
        return data.decode("gb18030").strip()
    except UnicodeDecodeError:
        return HEX + data.hex()


def bytes_of(value: Any, what: str) -> bytes:
    """The bytes of a text; FieldError when it is none."""
    if not isinstance(value, str):
        raise FieldError(what, value, "应为文本", "must be text")
    return hex_of(value[len(HEX) :], what) if value.startswith(HEX) else value.encode("gb18030", "replace")


def hex_of(value: Any, what: str) -> bytes:
    """The bytes of a hex text; FieldError when it is none."""
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError):
        raise FieldError(what, value, "应为十六进制文本", "must be hex text") from None


class Field(ABC):
    """One field of a layout."""

    def __init__(self, name: str):
        self.name = name

    @abstractmethod
    def read(self, r: Reader, out: dict[str, Any]) -> None:
        """Take the field's bytes and put what they say into `out`."""

    @abstractmethod
    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        """Append the field's bytes from what is `given`."""

    def need(self, given: Mapping[str, Any]) -> Any:
        """The value of this field; FieldError when it is missing."""
        if self.name not in given:
            raise FieldError(self.name, None, "缺少此字段", "is missing")
        return given[self.name]


class U(Field):
    """Unsigned number of `n` bytes, shown divided by `per` (a number in the standard's unit), or named by `names`."""

    def __init__(self, name: str, n: int = 1, per: int = 1, names: Mapping[int, str] | None = None, default: int | None = None):
        super().__init__(name)
        self.n, self.per, self.names, self.default = n, per, names, default

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        raw = r.number(self.n, self.name)
        out[self.name] = raw if self.per == 1 else raw / self.per
        if self.names is not None and raw in self.names:
            out[self.name + "_text"] = self.names[raw]

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = given.get(self.name, self.default) if self.default is not None else self.need(given)
        if self.per != 1:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise FieldError(self.name, value, "应为数字", "must be a number")
            value = round(value * self.per)
        w.number(value, self.n, self.name)


class Bits(Field):
    """A word of flags: the number, and the names of the bits that are set under ``<name>_bits`` (or `shown`)."""

    def __init__(self, name: str, n: int, names: Mapping[int, str], shown: str = ""):
        super().__init__(name)
        self.n, self.names, self.shown = n, names, shown or name + "_bits"

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        raw = r.number(self.n, self.name)
        out[self.name] = raw
        out[self.shown] = bit_names(raw, self.names)

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        if self.name in given or self.shown not in given:
            w.number(self.need(given), self.n, self.name)
        else:
            w.number(bit_word(given[self.shown], self.names, self.shown), self.n, self.name)


def bit_names(raw: int, names: Mapping[int, str]) -> list[str]:
    """The names of the bits of `raw` that are set; a bit without a name is ``bit_<n>``."""
    return [names.get(i, f"bit_{i}") for i in range(raw.bit_length()) if raw >> i & 1]


def bit_word(shown: Iterable[str], names: Mapping[int, str], what: str) -> int:
    """The word whose set bits have these names; FieldError for a name that is none."""
    numbers = {name: bit for bit, name in names.items()}
    word = 0
    for name in shown:
        bit = numbers.get(name, int(name[4:]) if name.startswith("bit_") and name[4:].isdigit() else -1)
        if bit < 0:
            raise FieldError(what, name, f"没有此标志；可用：{'、'.join(numbers)}", f"no such flag; known: {', '.join(numbers)}")
        word |= 1 << bit
    return word


class Hex(Field):
    """`n` bytes as hex text (None: all that is left), `prefix` before it."""

    def __init__(self, name: str, n: int | None = None, prefix: str = ""):
        super().__init__(name)
        self.n, self.prefix = n, prefix

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        out[self.name] = self.prefix + r.take(r.left if self.n is None else self.n, self.name).hex()

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        value = self.need(given) if self.n is not None else given.get(self.name, "")
        data = hex_of(str(value).removeprefix(self.prefix), self.name)
        if self.n is not None and len(data) != self.n:
            raise FieldError(self.name, value, f"应为 {self.n} 字节", f"must be {self.n} bytes")
        w.data += data


class Text(Field):
    """Text of `n` bytes filled up with NUL; with `prefix` a length of so many bytes before it; neither: all that is left."""

    def __init__(self, name: str, n: int = 0, prefix: int = 0):
        super().__init__(name)
        self.n, self.prefix = n, prefix

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        n = self.n or (r.number(self.prefix, self.name) if self.prefix else r.left)
        out[self.name] = text_of(r.take(n, self.name))

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        data = bytes_of(given.get(self.name, ""), self.name)
        if self.n and len(data) > self.n:
            raise FieldError(self.name, given[self.name], f"最长 {self.n} 字节", f"must fit in {self.n} bytes")
        if self.prefix:
            w.number(len(data), self.prefix, self.name)
        w.data += data.ljust(self.n, b"\0")


class Blob(Field):
    """Bytes behind their own length of `prefix` bytes, as hex."""

    def __init__(self, name: str, prefix: int):
        super().__init__(name)
        self.prefix = prefix

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        out[self.name] = r.take(r.number(self.prefix, self.name), self.name).hex()

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        data = hex_of(self.need(given), self.name)
        w.number(len(data), self.prefix, self.name)
        w.data += data


class List(Field):
    """A count of `count` bytes and so many of `each` (a layout, or one field for bare values); count 0: until the end."""

    def __init__(self, name: str, count: int, each: Layout | Field):
        super().__init__(name)
        self.count, self.each = count, each

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        n = r.number(self.count, self.name) if self.count else r.left  # every item has at least one byte
        items: list[Any] = []
        while len(items) < n and (self.count or r.left):
            if not r.left:
                raise LayoutError("bad_length", f"{self.name}: {n} announced, {len(items)} there")
            one: dict[str, Any] = {}
            for field in [self.each] if isinstance(self.each, Field) else self.each:
                field.read(r, one)
            items.append(one[self.each.name] if isinstance(self.each, Field) else one)
        out[self.name] = items

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        items = given.get(self.name, [])
        if not isinstance(items, list | tuple):
            raise FieldError(self.name, items, "应为列表", "must be a list")
        if self.count:
            w.number(len(items), self.count, self.name)
        for item in items:
            if isinstance(self.each, Field):
                self.each.write(w, {self.each.name: item})
            else:
                write(self.each, w, item)


class When(Field):
    """Fields that are there only when `test` of the edition and of what was read so far says so."""

    def __init__(self, test: Callable[[int, Mapping[str, Any]], bool], *fields: Field):
        super().__init__("")
        self.test, self.fields = test, fields

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        if self.test(r.edition, out):
            for field in self.fields:
                field.read(r, out)

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        if self.test(w.edition, given):
            for field in self.fields:
                field.write(w, given)


class Tail(Field):
    """Fields at the end that may be left out together."""

    def __init__(self, *fields: Field):
        super().__init__("")
        self.fields = fields

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        if r.left:
            for field in self.fields:
                field.read(r, out)

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        if any(field.name in given for field in self.fields):
            for field in self.fields:
                field.write(w, given)


class Group(Field):
    """Fields under one name."""

    def __init__(self, name: str, *fields: Field):
        super().__init__(name)
        self.fields = fields

    def read(self, r: Reader, out: dict[str, Any]) -> None:
        inner: dict[str, Any] = {}
        for field in self.fields:
            field.read(r, inner)
        out[self.name] = inner

    def write(self, w: Writer, given: Mapping[str, Any]) -> None:
        write(self.fields, w, self.need(given))


def read(layout: Layout, r: Reader, out: dict[str, Any] | None = None) -> dict[str, Any]:
    """All fields of `layout`; bytes left over go to ``rest`` as hex. LayoutError when the bytes do not fit."""
    out = {} if out is None else out
    for field in layout:
        field.read(r, out)
    if r.left:
        out["rest"] = r.take(r.left).hex()
    return out


def write(layout: Layout, w: Writer, given: Any) -> None:
    """Append all fields of `layout` and ``rest``. FieldError names what is missing or out of range."""
    if not isinstance(given, Mapping):
        raise FieldError("item", given, "应为字段表", "must be a table of fields")
    for field in layout:
        field.write(w, given)
    if given.get("rest"):
        w.data += hex_of(given["rest"], "rest")
