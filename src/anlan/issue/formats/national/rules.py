"""Rules N00-N09 of the national format (N00: fields and their values; numbers as in our rule table)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from lxml import etree

from ...contract import CheckFinding, Level
from .codes import COLOURS, MSG_TYPE, SCOPE, SEVERITY, STATUS, WORDS, division, events

NAMESPACE = "http://com.icss.amp"
_IDENTIFIER = re.compile(r"([0-9A-Z]{14})_([0-9]{14})(_[0-9])?")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")
_EVENT = re.compile(r"[1-6][0-9][A-Z]([0-9]{2})")
_BODY = re.compile(
    r"(气象灾害|人民政府|应急管理|气象|水务|水利|自然资源|应急)?(预警信息发布中心|预警中心|气象台|气象局|管理局|指挥部|局|台|站|中心|委|厅|部|政府)+$"
)
_TRIAL = re.compile(r"测试|演练|演习|\btest\b|\bexercise\b|\bdrill\b", re.IGNORECASE)
MUST = ("identifier", "sender", "senderCode", "sendTime", "status", "msgType", "scope")


def _f(rule: str, level: Level, zh: str, en: str) -> CheckFinding:
    return CheckFinding(rule, level, zh, en)


def text(element: etree._Element, path: str) -> str:
    """The stripped text of a child (``info/headline``), empty when absent."""
    found = element.find("/".join(f"{{{NAMESPACE}}}{part}" for part in path.split("/")))
    return "" if found is None else "".join(str(part) for part in found.itertext()).strip()


def parse_time(value: str) -> datetime | None:
    """The aware time of ``YYYY-MM-DD hh:mm:ss+08:00``, None when it is none."""
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _shape(root: etree._Element) -> Iterator[CheckFinding]:
    for name in MUST:
        if not text(root, name):
            yield _f("N00", "error", f"缺少 {name}", f"{name} is missing")
    for name, allowed in (("status", STATUS), ("msgType", MSG_TYPE), ("scope", SCOPE)):
        value = text(root, name)
        if value and value not in allowed:
            yield _f(
                "N00",
                "error",
                f"{name} = {value[:30]!r}，应为 {'/'.join(allowed)}",
                f"{name} = {value[:30]!r}, must be one of {', '.join(allowed)}",
            )
    if text(root, "sendTime") and not parse_time(text(root, "sendTime")):
        yield _f("N00", "error", "sendTime 应为 YYYY-MM-DD hh:mm:ss+08:00", "sendTime must be YYYY-MM-DD hh:mm:ss+08:00")
    infos = root.findall(f"{{{NAMESPACE}}}info")
    if not infos and text(root, "msgType") in ("Alert", "Update"):
        yield _f("N00", "error", "缺少 info", "info is missing")
    for info in infos:
        severity = text(info, "severity")
        if severity not in SEVERITY:
            yield _f(
                "N00",
                "error",
                f"severity = {severity[:30]!r}，应为颜色词",
                f"severity = {severity[:30]!r}, must be one of {', '.join(SEVERITY)}",
            )
        for name in ("effective", "onset", "expires"):
            if text(info, name) and not parse_time(text(info, name)):
                yield _f("N00", "error", f"{name} 应为 YYYY-MM-DD hh:mm:ss+08:00", f"{name} must be YYYY-MM-DD hh:mm:ss+08:00")


def _heads(root: etree._Element) -> Iterator[CheckFinding]:
    identifier, code = text(root, "identifier"), text(root, "senderCode")
    match = _IDENTIFIER.fullmatch(identifier)
    if identifier and not match:
        yield _f(
            "N01",
            "error",
            f"identifier = {identifier[:50]!r} 应为 14 位发送方码_年月日时分秒",
            f"identifier = {identifier[:50]!r} must be the 14-sign sender code, _, and 14 digits of time",
        )
    elif identifier and code and match and match.group(1) != code:
        yield _f("N01", "error", f"identifier 前缀与 senderCode {code} 不一致", f"identifier does not begin with senderCode {code}")
    if match:
        try:
            datetime.strptime(match.group(2), "%Y%m%d%H%M%S")
        except ValueError:
            yield _f(
                "N01", "error", f"identifier 中的时间 {match.group(2)} 不成立", f"the time {match.group(2)} in identifier does not exist"
            )
    kind, references = text(root, "msgType"), text(root, "references")
    if kind in ("Update", "Cancel") and not references:
        yield _f("N04", "error", f"{kind} 须在 references 写明首次报文编号", f"{kind} needs the first message's identifier in references")
    elif references and not all(_IDENTIFIER.fullmatch(word) for word in re.split(r"[\s,;]+", references)):
        yield _f("N04", "warning", "references 应为首次报文的编号", "references should be the first message's bare identifier")
    if kind == "Cancel" and not text(root, "note"):
        yield _f("N05", "warning", "解除应在 note 写明原因", "a Cancel should say why in note")


def _divisions(root: etree._Element) -> Iterator[CheckFinding]:
    codes = {("senderCode", text(root, "senderCode")[:6])}
    for node in root.iter(f"{{{NAMESPACE}}}geocode"):
        codes |= {("geocode", word) for word in re.split(r"[\s,]+", "".join(str(part) for part in node.itertext()).strip()) if word}
    for field, code in sorted(codes):
        if not code:
            continue
        found = division(code)
        if found == "shape":
            sentences = (
                f"{field} 中区划代码 {code[:20]!r} 应为 6、9 或 12 位数字",
                f"division code {code[:20]!r} in {field} must have 6, 9 or 12 digits",
            )
            yield _f("N02", "error", *sentences)
        elif found == "unknown":
            yield _f("N02", "error", f"{field} 中区划代码 {code[:20]!r} 不存在", f"division code {code[:20]!r} in {field} does not exist")
        elif found == "newer":
            sentences = f"{field} 中 {code[:12]!r} 不在 2023 年区划码表", f"{code[:12]!r} in {field} is not in the division table of 2023"
            yield _f("N02", "warning", *sentences)


def _place(name: str) -> str:
    return _BODY.sub("", name.strip())


def _headline(root: etree._Element, info: etree._Element) -> Iterator[CheckFinding]:
    headline, severity, code = text(info, "headline"), text(info, "severity"), text(info, "eventType")
    if not headline:
        yield _f("N06", "error", "缺少 headline", "headline is missing")
        return
    said = {word for word in COLOURS.values() if f"{word}色" in headline}
    wanted = COLOURS.get(severity)
    if wanted and said != {wanted}:
        yield _f("N06", "error", f"标题颜色与 severity {severity} 不符", f"the colour in headline does not agree with severity {severity}")
    event = WORDS.get(code)
    others = [
        word for known, word in WORDS.items() if known != code and word in headline and not (event and (word in event or event in word))
    ]
    if event and event not in headline and others:
        yield _f(
            "N06",
            "error",
            f"标题事件“{others[0]}”与 eventType {code}（{event}）不符",
            f"the event in headline does not agree with eventType {code}",
        )
    elif event and event not in headline:
        yield _f("N06", "warning", f"标题中没有事件“{event}”", f"headline does not name the event of {code}")
    kind = text(root, "msgType")
    if kind == "Cancel" and "解除" not in headline:
        yield _f("N06", "error", "解除报文的标题应含“解除”", "the headline of a Cancel must say 解除 (lifted)")
    elif kind == "Alert" and "解除" in headline:
        yield _f("N06", "error", "发布报文的标题不应含“解除”", "the headline of an Alert must not say 解除 (lifted)")
    body = re.split(r"发布|解除|更新|继续|变更|升级|降级", headline)[0]
    names = [text(root, "sender"), text(info, "senderName")]
    if body and body != headline and any(names):
        place = _place(body)
        if not any(place and n and (place in n or _place(n) in body) for n in names if _place(n)):
            yield _f(
                "N06",
                "error",
                f"标题的发布机构“{body[:30]}”与 sender 不符",
                f"the body in headline ({body[:30]}) does not agree with sender",
            )


def _info(root: etree._Element, info: etree._Element, outgoing: bool) -> Iterator[CheckFinding]:
    code = text(info, "eventType")
    if not _EVENT.fullmatch(code):
        yield _f(
            "N03",
            "error",
            f"eventType = {code[:20]!r} 不合“类+种+字母+两位数”",
            f"eventType = {code[:20]!r} is not class, kind, letter and two digits",
        )
    elif code not in events():
        yield _f("N09", "warning", f"事件码 {code} 不在码表，照存照显", f"event code {code} is not in our table; kept and shown as it is")
    effective, expires = parse_time(text(info, "effective")), parse_time(text(info, "expires"))
    start = effective or parse_time(text(root, "sendTime"))
    if start and expires and not start < expires:
        yield _f("N07", "error", "expires 须晚于 effective", "expires must be later than effective")
    yield from _headline(root, info)
    if text(root, "status") == "Actual" and any(_TRIAL.search(text(info, name)) for name in ("headline", "description")):
        yield _f(
            "N08",
            "error" if outgoing else "warning",
            "内容为测试或演练，status 却是 Actual",
            "the text is of a test or drill, but status is Actual",
        )


def check_rules(root: etree._Element, *, outgoing: bool = False) -> list[CheckFinding]:
    """All findings of a message in the national format."""
    found = [*_shape(root), *_heads(root), *_divisions(root)]
    for info in root.findall(f"{{{NAMESPACE}}}info"):
        found += _info(root, info, outgoing)
    return found
