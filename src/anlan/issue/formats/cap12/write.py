"""Build a CAP 1.2 element tree from an `AlertDraft`: Chinese first, then English; same event in both.

Our profile: ``code`` names it; geocodes are division codes padded to 12 digits; ``eventCode`` is the
national code; the colour is a parameter, so that a round trip to the national format loses nothing.
urgency and certainty stay ``Unknown``: nobody chose them (the national format says so too).
"""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from ....base.clock import BEIJING
from ...contract import AlertDraft
from .schema import NAMESPACE

PROFILE = "anlan-cap-1"
DIGITS = 5  # about one metre; two digits (1 km) are too coarse for a village


def stamp(when: datetime) -> str:
    """A CAP time with Beijing's offset."""
    return when.astimezone(BEIJING).isoformat(timespec="seconds")


def _add(parent: etree._Element, name: str, text: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child


def _pair(parent: etree._Element, name: str, key: str, value: str) -> None:
    pair = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    _add(pair, "valueName", key)
    _add(pair, "value", value)


def ring_text(ring: tuple[tuple[float, float], ...]) -> str:
    """A (lon, lat) ring as CAP writes it: ``lat,lon`` words, closed, repeats from rounding dropped."""
    words: list[str] = []
    for lon, lat in ring:
        word = f"{lat:.{DIGITS}f},{lon:.{DIGITS}f}"
        if not words or words[-1] != word:
            words.append(word)
    if words and words[0] != words[-1]:
        words.append(words[0])
    return " ".join(words)


def _info(root: etree._Element, alert: AlertDraft, language: int) -> None:
    info = etree.SubElement(root, f"{{{NAMESPACE}}}info")
    _add(info, "language", ("zh-CN", "en-US")[language])
    _add(info, "category", alert.category)
    _add(info, "event", alert.words[language])
    if alert.msg_type == "Cancel":
        _add(info, "responseType", "AllClear")
    _add(info, "urgency", "Past" if alert.msg_type == "Cancel" else "Unknown")
    _add(info, "severity", alert.grade.cap_severity)
    _add(info, "certainty", "Unknown")
    _pair(info, "eventCode", "GB/T 35561", alert.event_code)
    _add(info, "effective", stamp(alert.effective))
    _add(info, "expires", stamp(alert.expires))
    if alert.sender_name[language]:
        _add(info, "senderName", alert.sender_name[language])
    _add(info, "headline", alert.headline[language])
    _add(info, "description", alert.description[language])
    if alert.instruction[language]:
        _add(info, "instruction", alert.instruction[language])
    _pair(info, "parameter", "colour", alert.grade.word)
    _pair(info, "parameter", "grade", alert.grade.roman)
    if alert.automatic:
        _pair(info, "parameter", "automatic", alert.automatic)
    area = etree.SubElement(info, f"{{{NAMESPACE}}}area")
    _add(area, "areaDesc", alert.area_name[language])
    for ring in alert.polygons:
        _add(area, "polygon", ring_text(ring))
    for code in alert.geocodes:
        _pair(area, "geocode", "GB/T 2260", code.ljust(12, "0"))


def tree(alert: AlertDraft) -> etree._Element:
    """The message as an element tree (unsigned)."""
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _add(root, "identifier", alert.identifier)
    _add(root, "sender", alert.sender)
    _add(root, "sent", stamp(alert.sent))
    _add(root, "status", alert.status)
    _add(root, "msgType", alert.msg_type)
    _add(root, "scope", "Public")
    _add(root, "code", PROFILE)
    if alert.note:
        _add(root, "note", alert.note)
    if alert.references:
        _add(root, "references", " ".join(f"{sender},{identifier},{stamp(sent)}" for sender, identifier, sent in alert.references))
    if alert.incidents:
        _add(root, "incidents", " ".join(alert.incidents))
    for language in (0, 1):
        _info(root, alert, language)
    return root
