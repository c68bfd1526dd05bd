"""Signatures of alert messages: an enveloped XML signature that covers the whole message, once.

A signature that does not hold is an error. One that holds proves only that nobody changed the message since
*somebody* signed it: who that is must be pinned. Pins are PEM certificates in a folder, one file per
sender (``<sender>.pem``, several certificates allowed); the certificate must be valid at the time of sending,
not today (else every old message turns invalid). A certificate that signed itself, or comes from a private
authority, proves nothing unless it is pinned.
"""

from __future__ import annotations

import base64
import re
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.utils import CryptographyDeprecationWarning
from lxml import etree
from signxml import DigestAlgorithm, SignatureConfiguration, SignatureConstructionMethod, SignatureMethod, XMLSigner, XMLVerifier
from signxml.exceptions import InvalidDigest, SignXMLException
from signxml.exceptions import InvalidSignature as InvalidSignatureError

from .contract import CheckFinding

DSIG = "{http://www.w3.org/2000/09/xmldsig#}"
STAMPED_SINCE = datetime(2018, 5, 1, tzinfo=UTC)  # browsers demand certificate transparency of every public certificate since
UNPINNED = "not pinned"  # how the sentence on a signer whom nobody vouches for ends
_UNSAFE = re.compile(r"[^A-Za-z0-9@._-]")


def _error(zh: str, en: str) -> CheckFinding:
    return CheckFinding("SIG", "error", zh, en)


def _warning(zh: str, en: str) -> CheckFinding:
    return CheckFinding("SIG", "warning", zh, en)


def pin_name(sender: str) -> str:
    """The file name under which a sender's certificates are pinned."""
    return f"{_UNSAFE.sub('_', sender)}.pem"


def pins(folder: Path | None, sender: str) -> list[x509.Certificate]:
    """The pinned certificates of a sender; empty when there is no file for it."""
    if folder is None:
        return []
    path = folder / pin_name(sender)
    return x509.load_pem_x509_certificates(path.read_bytes()) if path.is_file() else []


def _embedded(signature: etree._Element) -> x509.Certificate | None:
    text = signature.findtext(f".//{DSIG}X509Certificate")
    if not text:
        return None
    return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))


def _private(certificate: x509.Certificate) -> bool:
    """Whether it is of no public authority: every public one since 2018 carries certificate-transparency stamps."""
    if certificate.issuer == certificate.subject:
        return True
    try:
        certificate.extensions.get_extension_for_class(x509.PrecertificateSignedCertificateTimestamps)
    except (x509.ExtensionNotFound, ValueError):
        return certificate.not_valid_before_utc >= STAMPED_SINCE
    return False


def _signer(certificate: x509.Certificate, pinned: list[x509.Certificate], sent: datetime | None) -> Iterator[CheckFinding]:
    mark = certificate.fingerprint(hashes.SHA256())
    name = certificate.subject.rfc4514_string()
    outside = sent is not None and not certificate.not_valid_before_utc <= sent <= certificate.not_valid_after_utc
    if pinned:
        if mark not in {p.fingerprint(hashes.SHA256()) for p in pinned}:
            yield _error(f"签名证书 {name} 不是该发送方登记的证书", f"signed by {name}, which is not a certificate pinned for this sender")
    elif _private(certificate):
        yield _warning(
            f"签名证书 {name} 为自签或私有机构签发且未登记，不能证明发送方",
            f"certificate {name} is self-signed or of a private authority and proves nothing of the sender: {UNPINNED}",
        )
    else:
        yield _warning(f"签名完好，但发送方证书 {name} 未登记", f"signature holds, but of certificate {name}: {UNPINNED}")
    if outside:
        sentence = ("发送时证书不在有效期内", "the certificate was not valid when the message was sent")
        yield _error(*sentence) if pinned else _warning(*sentence)


def _mathematics(data: bytes, certificate: x509.Certificate | None) -> tuple[str, bool]:
    """The tag that is signed, and whether white space between elements had to be dropped first.

    Raises what signxml raises. Without a certificate the key in the message itself is used (integrity only).
    Validity dates are left to `_signer`: they are judged at the time of sending. SHA-1 is let through here; the
    caller says so.
    """
    config = SignatureConfiguration(
        expect_references=1,
        require_x509=certificate is not None,
        signature_methods=frozenset(m for m in SignatureMethod if not m.name.startswith("HMAC")),
        digest_algorithms=frozenset(DigestAlgorithm),
        verification_time=certificate.not_valid_before_utc if certificate else None,
    )
    try:
        result = XMLVerifier().verify(data, x509_cert=certificate, expect_config=config)
        reformatted = False
    except (InvalidSignatureError, InvalidDigest):
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_blank_text=True)
        compact = etree.tostring(etree.fromstring(data, parser))
        result = XMLVerifier().verify(compact, x509_cert=certificate, expect_config=config)
        reformatted = True
    first = result[0] if isinstance(result, list) else result
    return ("" if first.signed_xml is None else str(first.signed_xml.tag)), reformatted


def _scope_fault(root: etree._Element, signatures: list[etree._Element]) -> tuple[str, str] | None:
    """Why the signature cannot be one over the whole message, None when it can."""
    if len(signatures) > 1:
        return "有多个签名，只接受一个", "more than one signature; exactly one is accepted"
    references = signatures[0].findall(f"{DSIG}SignedInfo/{DSIG}Reference")
    if signatures[0].getparent() is not root or len(references) != 1 or references[0].get("URI", "") != "":
        return "签名须覆盖整个报文（Reference URI 为空）", "the signature must cover the whole message (one Reference with empty URI)"
    for transform in references[0].iter(f"{DSIG}Transform"):
        algorithm = transform.get("Algorithm", "")
        if algorithm != f"{DSIG[1:-1]}enveloped-signature" and "c14n" not in algorithm:
            return f"签名用了不接受的变换 {algorithm[:60]}", f"the signature uses the transform {algorithm[:60]}, which is not accepted"
    return None


def status(root: etree._Element, findings: list[CheckFinding]) -> str:
    """``none``, ``good`` (holds, of a pinned certificate), ``untrusted`` (holds, of somebody not pinned) or ``bad``."""
    if next(root.iter(f"{DSIG}Signature"), None) is None:
        return "none"
    said = [f for f in findings if f.rule == "SIG"]
    if any(f.en.endswith(UNPINNED) for f in said):
        return "untrusted"
    return "bad" if any(f.level == "error" for f in said) else "good"


def check_signature(
    data: bytes, root: etree._Element, sender: str, sent: datetime | None, folder: Path | None = None
) -> list[CheckFinding]:
    """Findings about the signature of a message; none is allowed from a sender without pins.

    `data` are the bytes as received (verified as they are), `root` the same parsed safely.
    """
    pinned = pins(folder, sender)
    signatures = list(root.iter(f"{DSIG}Signature"))
    if not signatures:
        return (
            [_error("该发送方登记了证书，报文却没有签名", "this sender has a pinned certificate, but the message is not signed")]
            if pinned
            else []
        )
    fault = _scope_fault(root, signatures)
    if fault:
        return [_error(*fault)]
    warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)  # odd serial numbers of real certificates
    try:
        certificate = _embedded(signatures[0]) or (pinned[0] if len(pinned) == 1 else None)
        signed, reformatted = _mathematics(data, certificate)
    except (SignXMLException, InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError, etree.LxmlError) as error:
        reason = str(error).splitlines()[0].strip().rstrip(":")[:120] if str(error) else type(error).__name__
        return [_error(f"签名不成立：{reason}", f"the signature does not hold: {reason}")]
    if signed != root.tag:
        return [_error("签名未覆盖报文根元素", "the signature does not cover the root element")]
    if certificate is None:
        found = [
            _warning(
                "签名只附公钥、未附证书，只能证明未被改动",
                f"the signature carries a bare key, which proves only that nothing was changed: {UNPINNED}",
            )
        ]
    else:
        found = list(_signer(certificate, pinned, sent))
    if reformatted:
        found.append(
            _warning(
                "去掉元素间空白后签名才成立（途中被重新排版）",
                "the signature holds only without the white space between elements (laid out anew on the way)",
            )
        )
    if any("sha1" in str(e.get("Algorithm", "")) for e in signatures[0].iter(f"{DSIG}SignatureMethod", f"{DSIG}DigestMethod")):
        found.append(_warning("签名用 SHA-1，已不够安全", "the signature uses SHA-1, which is no longer safe"))
    return found


def sign(data: bytes, key_pem: bytes, certificate_pem: bytes) -> bytes:
    """The message with an enveloped signature (SHA-256; RSA or ECDSA by the key), UTF-8."""
    key = serialization.load_pem_private_key(key_pem, None)
    method = SignatureMethod.ECDSA_SHA256 if isinstance(key, ec.EllipticCurvePrivateKey) else SignatureMethod.RSA_SHA256
    signer = XMLSigner(method=SignatureConstructionMethod.enveloped, signature_algorithm=method, digest_algorithm=DigestAlgorithm.SHA256)
    root = signer.sign(
        etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True)), key=key_pem, cert=certificate_pem.decode()
    )
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
