"""Rules of the CAP 1.2 text that the schema cannot see (numbers R01-R20 as in our rule table).

Levels: ``error`` makes a message invalid; a ``warning`` is stored with it and shown; ``advice`` helps
the sender. Sources: the standard's section 3.2, the CAP validators of Google and the WMO, and profiles.
R21 (two messages with one name) is asked among messages, see `issue.messages.check_together`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import urlsplit

import shapely
from lxml import etree

from ...contract import CheckFinding, Level
from .schema import NAMESPACE, parse_time, text_of

T = TypeVar("T")
_REFERENCE = re.compile(r"[^\s,&<]+,[^\s,&<]+,[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[-+][0-9]{2}:[0-9]{2}")
_NAME = re.compile(r"[^\s,&<]+")
_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_MIME = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]*(\s*;.*)?", re.DOTALL)
_HTML = re.compile(r"</?[a-zA-Z][a-zA-Z0-9]*(\s[^<>]*)?/?>|&(?:[a-zA-Z][a-zA-Z0-9]{1,9}|#[0-9]{1,6}|#x[0-9a-fA-F]{1,6});")
MANY_VERTICES = 100  # advice of the WMO composer's editors
HEADLINE = 140  # advice of Google Public Alerts: under 140 signs


def _f(rule: str, level: Level, zh: str, en: str) -> CheckFinding:
    return CheckFinding(rule, level, zh, en)


def _first(element: etree._Element, name: str) -> str | None:
    found = element.find(f"{{{NAMESPACE}}}{name}")
    return None if found is None else text_of(found)


def _all(element: etree._Element, name: str) -> list[str]:
    return [text_of(child) for child in element.findall(f"{{{NAMESPACE}}}{name}")]


def _value(element: etree._Element, name: str) -> str:
    return (_first(element, name) or "").strip()


def _heads(root: etree._Element) -> Iterator[CheckFinding]:
    for name in ("identifier", "sender"):
        text = _first(root, name) or ""
        if not _NAME.fullmatch(text):
            yield _f(
                "R01",
                "error",
                f"{name} = {text[:60]!r}：不得为空，不得含空格、逗号、< 或 &",
                f"{name} = {text[:60]!r}: must not be empty nor hold a space, comma, < or &",
            )
    scope = _value(root, "scope")
    restriction, addresses = _value(root, "restriction"), _value(root, "addresses")
    if (scope == "Restricted") != bool(restriction):
        yield _f(
            "R05", "error", "仅当 scope 为 Restricted 时须有 restriction", "restriction is needed if, and only if, scope is Restricted"
        )
    if scope == "Private" and not addresses:
        yield _f("R05", "error", "scope 为 Private 时须有 addresses", "addresses are needed when scope is Private")
    note = _value(root, "note")
    if _value(root, "status") == "Exercise" and not note:
        yield _f("R13", "error", "演练报文须有 note 说明", "an Exercise needs a note")
    if _value(root, "msgType") == "Error" and not note:
        yield _f("R13", "error", "Error 报文须有 note 说明", "an Error message needs a note")
    if (
        _value(root, "msgType") in ("Alert", "Update")
        and scope == "Public"
        and _value(root, "status") != "System"
        and not root.findall(f"{{{NAMESPACE}}}info")
    ):
        yield _f("R14", "warning", "公开的 Alert/Update 没有 info", "a public Alert or Update has no info block")


def _references(root: etree._Element) -> Iterator[CheckFinding]:
    kind, text = _value(root, "msgType"), _value(root, "references")
    if kind in ("Update", "Cancel", "Ack", "Error") and not text:
        yield _f("R04", "error", f"{kind} 须有 references 指明前报", f"{kind} needs references to the earlier message")
    me = (_value(root, "sender"), _value(root, "identifier"), _value(root, "sent"))
    sent = parse_time(me[2])
    for entry in text.split():
        if not _REFERENCE.fullmatch(entry):
            yield _f(
                "R03",
                "error",
                f"references 中 {entry[:80]!r} 不是 sender,identifier,sent",
                f"references entry {entry[:80]!r} is not sender,identifier,sent",
            )
            continue
        sender, identifier, when = entry.split(",")
        if (sender, identifier) == me[:2]:
            yield _f("R19", "warning", "references 指向报文自身", "the message refers to itself")
        earlier = parse_time(when)
        if earlier and sent and earlier > sent:
            yield _f("R19", "warning", f"所引用报文 {identifier} 晚于本报文", f"the referred message {identifier} is later than this one")


def _times(info: etree._Element, sent: str) -> Iterator[CheckFinding]:
    expires = parse_time(_value(info, "expires"))
    start = parse_time(_value(info, "effective")) or parse_time(sent)
    if expires is None:
        yield _f("R09", "advice", "没有失效时间 expires", "no expires")
    elif start and expires < start:
        yield _f("R09", "error", "expires 早于 effective（或 sent）", "expires lies before effective (or sent)")


def _texts(info: etree._Element) -> Iterator[CheckFinding]:
    for name in ("event", "headline", "description", "instruction", "contact", "audience", "senderName"):
        found = _HTML.search(_first(info, name) or "")
        if found:
            shown = found.group()[:30]
            yield _f("R17", "warning", f"{name} 含标记 {shown!r}，应为纯文本", f"{name} holds markup {shown!r}; plain text is wanted")
    headline = _value(info, "headline")
    if len(headline) > HEADLINE:
        yield _f("W02", "advice", f"标题 {len(headline)} 字，超过 {HEADLINE}", f"headline has {len(headline)} signs, over {HEADLINE}")
    if _value(info, "certainty") == "Very Likely":
        yield _f("R18", "warning", "certainty 的 Very Likely 已停用", "certainty Very Likely is retired; use Likely")
    web = _first(info, "web")
    if web is not None and web.strip():
        parts = urlsplit(web.strip())
        if not parts.scheme or not (parts.netloc or parts.path) or (parts.scheme in ("http", "https") and not parts.netloc):
            yield _f("R12", "error", f"web = {web.strip()[:60]!r} 不是绝对网址", f"web = {web.strip()[:60]!r} is not an absolute URI")
    elif web is not None:
        yield _f("R12", "warning", "web 为空", "web is empty")


def _resources(info: etree._Element) -> Iterator[CheckFinding]:
    for resource in info.findall(f"{{{NAMESPACE}}}resource"):
        mime, uri, deref = _value(resource, "mimeType"), _value(resource, "uri"), _first(resource, "derefUri")
        if not _MIME.fullmatch(mime):
            yield _f("R11", "error", f"mimeType = {mime[:40]!r} 不是 类型/子类型", f"mimeType = {mime[:40]!r} is not type/subtype")
        if uri and not urlsplit(uri).scheme and not (deref or "").strip():
            yield _f("R11", "error", "相对 uri 须附 derefUri 内容", "a relative uri needs derefUri with the content")
        if deref is not None and deref.strip():
            try:
                base64.b64decode("".join(deref.split()), validate=True)
            except (binascii.Error, ValueError):
                yield _f("R11", "error", "derefUri 不是 base64", "derefUri is not base64")


def _point(text: str) -> tuple[float, float] | None:
    halves = text.split(",")
    if len(halves) != 2 or not all(_NUMBER.fullmatch(h) for h in halves):
        return None
    return float(halves[0]), float(halves[1])


def _range(points: list[tuple[float, float]], what: str) -> Iterator[CheckFinding]:
    if any(abs(lat) > 90 for lat, _ in points):
        yield _f(
            "R07", "error", f"{what} 纬度超出 ±90：纬度在前，经度在后", f"{what}: latitude beyond ±90; latitude comes first, then longitude"
        )
    if any(abs(lon) > 360 for _, lon in points):
        yield _f("R07", "error", f"{what} 经度超出范围", f"{what}: longitude out of range")
    elif any(abs(lon) > 180 for _, lon in points):
        yield _f("R07", "advice", f"{what} 经度越过 ±180，应折回", f"{what}: longitude beyond ±180, better wrapped")


def _crosses(points: list[tuple[float, float]]) -> bool:
    """Whether two edges cross properly (touching at a point or running together does not count)."""
    ring = shapely.LinearRing([(lon, lat) for lat, lon in points])
    if ring.is_simple:
        return False
    corners = shapely.points([(lon, lat) for lat, lon in points])
    edges = shapely.linestrings(list(zip(shapely.get_coordinates(corners)[:-1], shapely.get_coordinates(corners)[1:], strict=True)))
    tree = shapely.STRtree(edges)
    left, _ = tree.query(edges, predicate="crosses")
    return bool(len(left))


def _polygon(text: str) -> Iterator[CheckFinding]:
    if not text.strip():
        yield _f("R06", "warning", "polygon 为空", "a polygon is empty")
        return
    read = [_point(word) for word in text.split()]
    points = [p for p in read if p is not None]
    if not points:
        yield _f("R06", "warning", "polygon 无法读出任何坐标", "no coordinate of a polygon can be read")
        return
    if len(points) < len(read):
        bad = next(w for w, p in zip(text.split(), read, strict=True) if p is None)
        yield _f("R07", "error", f"polygon 中 {bad[:40]!r} 不是 纬度,经度", f"polygon holds {bad[:40]!r}, which is no lat,lon")
        return
    yield from _range(points, "polygon")
    if len(points) < 4:
        yield _f("R06", "error", f"polygon 只有 {len(points)} 点，至少 4 点", f"polygon has {len(points)} points; at least 4 are needed")
    elif points[0] != points[-1]:
        yield _f("R06", "error", "polygon 首尾点不同，环未闭合", "polygon ring is not closed: first and last point differ")
    elif _crosses(points):
        yield _f("R06", "error", "polygon 的边自相交", "polygon edges cross each other")
    if len(points) > MANY_VERTICES:
        yield _f(
            "W05",
            "advice",
            f"polygon 有 {len(points)} 个顶点，建议不超过 {MANY_VERTICES}",
            f"polygon has {len(points)} vertices; {MANY_VERTICES} are advised at most",
        )


def _circle(text: str) -> Iterator[CheckFinding]:
    words = text.split()
    if not words:
        yield _f("R07", "warning", "circle 为空", "a circle is empty")
        return
    point = _point(words[0])
    if len(words) != 2 or point is None or not _NUMBER.fullmatch(words[1]) or float(words[1]) < 0:
        yield _f(
            "R07",
            "error",
            f"circle = {text.strip()[:60]!r} 不是 纬度,经度 半径(千米)",
            f"circle = {text.strip()[:60]!r} is not lat,lon radius (km)",
        )
        return
    yield from _range([point], "circle")


def _area(area: etree._Element) -> Iterator[CheckFinding]:
    for text in _all(area, "polygon"):
        yield from _polygon(text)
    for text in _all(area, "circle"):
        yield from _circle(text)
    altitude, ceiling = _value(area, "altitude"), _value(area, "ceiling")
    low = float(altitude) if altitude and _NUMBER.fullmatch(altitude) else None
    high = float(ceiling) if ceiling and _NUMBER.fullmatch(ceiling) else None
    if high is not None and low is None:
        yield _f("R08", "error", "有 ceiling 须有 altitude", "ceiling needs altitude")
    if low is not None and high is not None and high < low:
        yield _f("R08", "error", "ceiling 低于 altitude", "ceiling is lower than altitude")
    if (low is not None and low < 0) or (high is not None and high < 0):
        yield _f("R08", "error", "altitude/ceiling 不得为负", "altitude and ceiling must not be negative")


def _pairs(info: etree._Element, name: str) -> frozenset[tuple[str, str]]:
    return frozenset((_value(c, "valueName"), _value(c, "value")) for c in info.findall(f"{{{NAMESPACE}}}{name}"))


def _language(info: etree._Element) -> str:
    return _value(info, "language").lower() or "en-us"


def _together(infos: list[etree._Element]) -> Iterator[CheckFinding]:
    if len({frozenset(_all(i, "category")) for i in infos}) > 1 or len({_pairs(i, "eventCode") for i in infos}) > 1:
        yield _f("R16", "warning", "各 info 的 category 或 eventCode 不一致", "info blocks differ in category or eventCode")
    by_language: dict[str, set[str]] = {}
    for info in infos:
        by_language.setdefault(_language(info), set()).add(_value(info, "event"))
    if any(len(events) > 1 for events in by_language.values()):
        yield _f("R16", "warning", "同一语言的 info 事件不同", "info blocks of one language name different events")
    texts: dict[str, str] = {}
    for info in infos:
        text, language = _value(info, "description"), _language(info)
        if len(text) > 20 and texts.setdefault(text, language).split("-")[0] != language.split("-")[0]:
            yield _f("R20", "warning", "两种语言的正文完全相同", "the same description stands under two languages")
            return


def same_name(root: etree._Element) -> tuple[str, str, str]:
    """Sender, identifier, sent: two different messages must never share it (R21); the same triple is a repeat."""
    return _value(root, "sender"), _value(root, "identifier"), _value(root, "sent")


def check_rules(root: etree._Element) -> list[CheckFinding]:
    """All rule findings of a message, in document order; safe on messages that fail the schema."""
    found = [*_heads(root), *_references(root)]
    infos = root.findall(f"{{{NAMESPACE}}}info")
    for info in infos:
        found += [*_times(info, _value(root, "sent")), *_texts(info), *_resources(info)]
        for area in info.findall(f"{{{NAMESPACE}}}area"):
            found += _area(area)
    return [*found, *_together(infos)]
