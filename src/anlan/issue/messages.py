"""Check any alert message: parse it safely, find its format by namespace, list the findings.

Parsing never resolves entities, never reads a DTD, a network address or a file; a message with a
document type declaration is refused before its content is looked at (XML external entities).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

from lxml import etree

from ..base.plugin import scan
from .contract import CheckFinding, Format

MAX_BYTES = 10_000_000  # the largest real message seen is 1.7 MB (NWS); ten times the usual limit of a gateway
OLD_CAP = {
    "urn:oasis:names:tc:emergency:cap:1.1": "CAP 1.1",
    "http://www.incident.com/cap/1.0": "CAP 1.0",
}
_ENCODED_DOCTYPE = re.compile(rb"<\s*!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one message; `valid` is false as soon as one finding is an error."""

    format: str
    findings: tuple[CheckFinding, ...]
    signature: str = "none"  # none, good, untrusted or bad (see `issue.trust.status`)

    @property
    def valid(self) -> bool:
        """No finding is an error."""
        return not any(f.level == "error" for f in self.findings)


@cache
def formats() -> dict[str, Format]:
    """All formats found, by name."""
    return scan("anlan.issue.formats", Format)  # type: ignore[type-abstract]


def safe_parse(data: bytes) -> etree._Element:
    """The root element; raises ValueError (bilingual, ``zh|en``) for anything unsafe or not well-formed."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"报文超过 {MAX_BYTES // 1_000_000} MB 上限|message is larger than {MAX_BYTES // 1_000_000} MB")
    if _ENCODED_DOCTYPE.search(data.replace(b"\x00", b"")):
        raise ValueError(
            "报文带有 DTD 或实体声明，可能是外部实体攻击，已拒收|the message declares a DTD or entities: refused as a possible attack"
        )
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"不是格式良好的 XML：{error.msg}|not well-formed XML: {error.msg}") from None
    tree = root.getroottree()
    if tree.docinfo.internalDTD is not None or tree.docinfo.doctype:
        raise ValueError("报文带有 DTD，已拒收|the message carries a DTD: refused")
    return root


def check(data: bytes, *, outgoing: bool = False) -> Verdict:
    """The verdict on one message. Lenient on receipt, strict when `outgoing`."""
    try:
        root = safe_parse(data)
    except ValueError as error:
        zh, _, en = str(error).partition("|")
        return Verdict("", (CheckFinding("XML", "error", zh, en),))
    namespace = etree.QName(root).namespace or ""
    for name, found in formats().items():
        if namespace in found.namespaces:
            from .trust import status  # here, because the desk writes no message and shall not load the signatures

            findings = found.check(data, outgoing=outgoing)
            return Verdict(name, tuple(findings), status(root, findings))
    if namespace in OLD_CAP:
        old = OLD_CAP[namespace]
        return Verdict(
            "",
            (CheckFinding("VERSION", "error", f"{old} 不按 1.2 接收，请发送方升级", f"{old} is not taken as 1.2; ask the sender for 1.2"),),
        )
    shown = f"{{{namespace}}}{etree.QName(root).localname}"[:120]
    return Verdict(
        "",
        (
            CheckFinding(
                "FORMAT",
                "error",
                f"根元素 {shown} 不是 CAP 1.2 或 12379 报文",
                f"root {shown} is neither CAP 1.2 nor the national 12379 format",
            ),
        ),
    )


def check_together(messages: Iterable[bytes], *, outgoing: bool = False) -> Iterator[Verdict]:
    """The verdicts on messages that one receiver holds: also R21, two different ones must never share their name.

    The name of a CAP message is its sender, identifier and sent; the same message again is a repeat (advice).
    """
    held: dict[tuple[str, str, str], bytes] = {}
    for data in messages:
        verdict = check(data, outgoing=outgoing)
        name, digest = _named(data)
        if name is None or digest is None:
            yield verdict
        elif name not in held:
            held[name] = digest
            yield verdict
        else:
            yield replace(verdict, findings=(*verdict.findings, _same(name, held[name] == digest)))


def _named(data: bytes) -> tuple[tuple[str, str, str] | None, bytes | None]:
    """Name and content digest (canonical form, so that layout does not count) of a CAP message."""
    from .formats.cap12.rules import same_name

    try:
        root = safe_parse(data)
    except ValueError:
        return None, None
    name = same_name(root)
    if not all(name):
        return None, None
    bare = etree.fromstring(etree.tostring(root), etree.XMLParser(resolve_entities=False, no_network=True, remove_blank_text=True))
    return name, hashlib.sha256(etree.tostring(bare, method="c14n")).digest()


def _same(name: tuple[str, str, str], equal: bool) -> CheckFinding:
    shown = ",".join(name)[:120]
    if equal:
        return CheckFinding("R21", "advice", f"与已收到的 {shown} 相同，为重复报文", f"the same as {shown}, which was received already")
    return CheckFinding(
        "R21", "error", f"与另一份内容不同的报文同为 {shown}", f"another message of different content has the same name {shown}"
    )
