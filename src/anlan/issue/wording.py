"""The words of proposals and warnings in both languages, and the outline of the area to be warned. Pure."""

from __future__ import annotations

from typing import Any

from ..base.grade import Grade
from .contract import Place, Rule

KINDS = {
    "issue": ("发布", "issued"),
    "update": ("更新", "updated"),
    "upgrade": ("升级", "upgraded"),
    "downgrade": ("降级", "downgraded"),
    "lift": ("解除", "lifted"),
}
HAZARD_WORDS = {"gas": ("气体泄漏", "gas leak"), "fire": ("火情", "fire"), "wind": ("大风", "strong wind")}


def event_words(rule: Rule, hazard: str) -> tuple[str, str]:
    """The event in both languages; for hazards without a rule of their own, by name."""
    return HAZARD_WORDS.get(hazard, rule.words) if rule.name == "other" else rule.words


def title(rule: Rule, hazard: str, place: Place, grade: Grade, kind: str = "issue", exercise: bool = False) -> tuple[str, str]:
    """``示例边坡滑坡红色预警`` and ``Red landslide warning: Sample slope``; a lift says so."""
    zh_event, en_event = event_words(rule, hazard)
    zh, en = f"{place.name}{zh_event}{grade.zh}色预警", f"{grade.word.capitalize()} {en_event} warning: {place.name_en or place.name}"
    if kind == "lift":
        zh, en = f"解除{zh}", f"Lifted: {en}"
    elif kind in ("upgrade", "downgrade"):
        zh, en = f"{zh}（{KINDS[kind][0]}）", f"{en} ({KINDS[kind][1]})"
    return (f"【演练】{zh}", f"[EXERCISE] {en}") if exercise else (zh, en)


def instruction(rule: Rule, grade: Grade, kind: str = "issue") -> tuple[str, str]:
    """What people are to do at this grade."""
    if kind == "lift":
        return "危险已解除，可按现场人员安排返回。", "The danger is over; return as the people on site arrange."
    return rule.instructions.get(grade, ("", ""))


def automatic_words(order: str, signer: str) -> tuple[str, str]:
    """The sentence that every text of a warning carries which no person signed for itself."""
    zh = f"（本预警由系统依据常备指令《{order}》自动发布，指令签发人：{signer}）"
    return zh, f"(Issued automatically under the standing order '{order}' signed by {signer}.)"


def rings(area: Any) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Outer rings of a GeoJSON Polygon or MultiPolygon as (lon, lat), empty for anything else."""
    if not isinstance(area, dict):
        return ()
    if area.get("type") == "Feature":
        return rings(area.get("geometry"))
    if area.get("type") == "Polygon":
        parts = [area["coordinates"]]
    elif area.get("type") == "MultiPolygon":
        parts = area["coordinates"]
    else:
        return ()
    return tuple(tuple((float(x), float(y)) for x, y, *_ in part[0]) for part in parts if part)
