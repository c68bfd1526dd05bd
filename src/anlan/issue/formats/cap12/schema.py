"""The structure of CAP 1.2 as data, and its check: order, occurrence, enumerations, simple types.

Facts of the OASIS standard "Common Alerting Protocol Version 1.2" (1 July 2010), section 3.2 and
its schema; written here anew. The tests compare every verdict with the schema itself where it is at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from lxml import etree

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_BLANK = " \t\r\n"

STATUS = ("Actual", "Exercise", "System", "Test", "Draft")
MSG_TYPE = ("Alert", "Update", "Cancel", "Ack", "Error")
SCOPE = ("Public", "Restricted", "Private")
CATEGORY = ("Geo", "Met", "Safety", "Security", "Rescue", "Fire", "Health", "Env", "Transport", "Infra", "CBRNE", "Other")
RESPONSE = ("Shelter", "Evacuate", "Prepare", "Execute", "Avoid", "Monitor", "Assess", "AllClear", "None")
URGENCY = ("Immediate", "Expected", "Future", "Past", "Unknown")
SEVERITY = ("Extreme", "Severe", "Moderate", "Minor", "Unknown")
CERTAINTY = ("Observed", "Likely", "Possible", "Unlikely", "Unknown")


@dataclass(frozen=True, slots=True)
class Part:
    """One child element: its name, type (``string``, ``time`` …, an enumeration, or child parts), occurrence."""

    name: str
    kind: str | tuple[str, ...] | tuple[Part, ...]
    low: int = 0
    many: bool = False


_PAIR = (Part("valueName", "string", 1), Part("value", "string", 1))
_RESOURCE = (
    Part("resourceDesc", "string", 1),
    Part("mimeType", "string", 1),
    Part("size", "integer"),
    Part("uri", "uri"),
    Part("derefUri", "string"),
    Part("digest", "string"),
)
_AREA = (
    Part("areaDesc", "string", 1),
    Part("polygon", "string", many=True),
    Part("circle", "string", many=True),
    Part("geocode", _PAIR, many=True),
    Part("altitude", "decimal"),
    Part("ceiling", "decimal"),
)
_INFO = (
    Part("language", "language"),
    Part("category", CATEGORY, 1, True),
    Part("event", "string", 1),
    Part("responseType", RESPONSE, many=True),
    Part("urgency", URGENCY, 1),
    Part("severity", SEVERITY, 1),
    Part("certainty", CERTAINTY, 1),
    Part("audience", "string"),
    Part("eventCode", _PAIR, many=True),
    Part("effective", "time"),
    Part("onset", "time"),
    Part("expires", "time"),
    Part("senderName", "string"),
    Part("headline", "string"),
    Part("description", "string"),
    Part("instruction", "string"),
    Part("web", "uri"),
    Part("contact", "string"),
    Part("parameter", _PAIR, many=True),
    Part("resource", _RESOURCE, many=True),
    Part("area", _AREA, many=True),
)
ALERT = (
    Part("identifier", "string", 1),
    Part("sender", "string", 1),
    Part("sent", "time", 1),
    Part("status", STATUS, 1),
    Part("msgType", MSG_TYPE, 1),
    Part("source", "string"),
    Part("scope", SCOPE, 1),
    Part("restriction", "string"),
    Part("addresses", "string"),
    Part("code", "string", many=True),
    Part("note", "string"),
    Part("references", "string"),
    Part("incidents", "string"),
    Part("info", _INFO, many=True),
)

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[-+][0-9]{2}:[0-9]{2}")
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")
_LANGUAGE = re.compile(r"[a-zA-Z]{1,8}(-[a-zA-Z0-9]{1,8})*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def text_of(element: etree._Element) -> str:
    """The character content of an element, comments and instructions left out."""
    return (element.text or "") + "".join(child.tail or "" for child in element)


def parse_time(text: str) -> datetime | None:
    """The aware time of a CAP time (offset form only), None when it is none."""
    value = " ".join(text.split())
    if not _TIME.fullmatch(value):
        return None
    hour, minute = int(value[-5:-3]), int(value[-2:])
    if hour > 14 or minute > 59 or (hour == 14 and minute):
        return None
    head = value[:-6]
    try:
        if head[11:] == "24:00:00":  # allowed by xs:dateTime: the next day's midnight
            head = head[:11] + "23:59:59"
        return datetime.fromisoformat(head + value[-6:])
    except ValueError:
        return None


def _uri_ok(text: str) -> bool:
    value = " ".join(text.split())
    if _BAD_ESCAPE.search(value) or value.count("#") > 1:
        return False
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    return not (value.startswith(":") or (parts.scheme == "" and ":" in value.split("/")[0].split("?")[0].split("#")[0]))


def _simple_fault(kind: str | tuple[str, ...], text: str) -> str:
    """What is wrong with a simple value (English clause), empty when nothing is."""
    collapsed = " ".join(text.split())
    if isinstance(kind, tuple):
        return "" if text in kind else f"must be one of {', '.join(kind)}"
    if kind == "time":
        return "" if parse_time(text) else "must be a time like 2026-11-23T08:00:00+08:00 (offset, no Z, no fractions)"
    if kind == "integer":
        return "" if _INTEGER.fullmatch(collapsed) else "must be a whole number"
    if kind == "decimal":
        return "" if _DECIMAL.fullmatch(collapsed) else "must be a decimal number"
    if kind == "language":
        return "" if _LANGUAGE.fullmatch(collapsed) else "must be a language tag like zh-CN"
    if kind == "uri":
        return "" if _uri_ok(text) else "must be a URI"
    return ""


def _children(element: etree._Element) -> list[etree._Element]:
    return [child for child in element if isinstance(child.tag, str)]


def _attributes(element: etree._Element, where: str) -> Iterator[str]:
    for name in element.attrib:
        if etree.QName(name).namespace != _XSI:
            yield f"{where}: attribute {etree.QName(name).localname} is not allowed"


def _content(element: etree._Element, part: Part, where: str) -> Iterator[str]:
    yield from _attributes(element, where)
    if part.kind and isinstance(part.kind, tuple) and isinstance(part.kind[0], Part):
        yield from _group(element, part.kind, where)  # type: ignore[arg-type]
        return
    if _children(element):
        yield f"{where}: holds elements where only text may stand"
        return
    fault = _simple_fault(part.kind, text_of(element))  # type: ignore[arg-type]
    if fault:
        yield f"{where} = {text_of(element)[:60]!r}: {fault}"


def _group(element: etree._Element, parts: tuple[Part, ...], where: str) -> Iterator[str]:
    if text_of(element).strip(_BLANK):
        yield f"{where}: text stands between elements"
    children, at = _children(element), 0
    for part in parts:
        count = 0
        while at < len(children) and children[at].tag == f"{{{NAMESPACE}}}{part.name}" and (part.many or count == 0):
            count += 1
            yield from _content(children[at], part, f"{where}/{part.name}")
            at += 1
        if count < part.low:
            found = etree.QName(children[at]).localname if at < len(children) else "the end"
            yield f"{where}: {part.name} is missing here (found {found}); order of elements matters"
    for child in children[at:]:
        name = etree.QName(child)
        if parts is ALERT and name.namespace == DSIG:
            continue
        yield f"{where}: {name.localname} is unknown, repeated or out of order"
        return


def faults(root: etree._Element) -> list[str]:
    """All structural faults as English clauses with the path; empty means it fits the schema."""
    if root.tag != f"{{{NAMESPACE}}}alert":
        return [f"root is {root.tag}, not alert of CAP 1.2"]
    return [*_attributes(root, "alert"), *_group(root, ALERT, "alert")]
