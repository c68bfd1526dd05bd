"""Build a national (12379) message from an `AlertDraft`; Beijing time, Chinese texts."""

from __future__ import annotations

from datetime import datetime

from lxml import etree

from ....base.clock import BEIJING
from ...contract import AlertDraft
from .rules import NAMESPACE

COLOUR = ("Unknown", "Blue", "Yellow", "Orange", "Red")


def stamp(when: datetime) -> str:
    """``YYYY-MM-DD hh:mm:ss+08:00``."""
    return when.astimezone(BEIJING).isoformat(sep=" ", timespec="seconds")


def identifier(sender_code: str, when: datetime) -> str:
    """The 29-sign message number: 14-sign sender code and the Beijing time of entry."""
    return f"{sender_code}_{when.astimezone(BEIJING):%Y%m%d%H%M%S}"


def _add(parent: etree._Element, name: str, text: str = "") -> etree._Element:
    child = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = text
    return child


def tree(alert: AlertDraft) -> etree._Element:
    """The message; `alert.sender` is the sender's name, the identifier's first 14 signs its code."""
    root = etree.Element(f"{{{NAMESPACE}}}alert", nsmap={None: NAMESPACE})  # type: ignore[dict-item]
    _add(root, "identifier", alert.identifier)
    _add(root, "sender", alert.sender_name[0] or alert.sender)
    _add(root, "senderCode", alert.identifier.partition("_")[0])
    _add(root, "sendTime", stamp(alert.sent))
    _add(root, "status", alert.status)
    _add(root, "msgType", alert.msg_type)
    _add(root, "scope", "Public")
    method = _add(_add(root, "code"), "method")
    _add(method, "methodName", "SPEAKER")
    _add(method, "message", alert.description[0])
    _add(method, "audienceGrp")
    _add(method, "audiencePrt")
    _add(root, "secClassification", "None")
    _add(root, "note", alert.note)
    _add(root, "references", alert.references[0][1] if alert.references else "")
    info = _add(root, "info")
    _add(info, "language", "zh-CN")
    _add(info, "eventType", alert.event_code)
    _add(info, "urgency", "Unknown")
    _add(info, "severity", COLOUR[alert.grade])
    _add(info, "certainty", "Unknown")
    _add(info, "effective", stamp(alert.effective))
    _add(info, "onset", stamp(alert.effective))
    _add(info, "expires", stamp(alert.expires))
    _add(info, "senderName", alert.sender_name[0] or alert.sender)
    _add(info, "headline", alert.headline[0])
    _add(info, "description", alert.description[0])
    _add(info, "instruction", alert.instruction[0])
    area = _add(info, "area")
    _add(area, "areaDesc", alert.area_name[0])
    for ring in alert.polygons or ((),):
        _add(area, "polygon", " ".join(f"{lat:.5f},{lon:.5f}" for lon, lat in ring))
    _add(area, "circle")
    _add(area, "geocode", ",".join(code.ljust(12, "0") for code in alert.geocodes))
    return root
