"""Who we are in the messages that leave, and the key that signs them.

The key and its certificate are one PEM file of mode 0600 in the data folder, made at the first start (RSA 3072, SHA-256, for
`YEARS` years) and part of every back-up. The certificate alone is pinned in our own ``trust`` folder under our sender, so that
`anlan cap check` verifies what we sent; neighbours pin it too (``GET /api/cap/certificate``). Other machines of one
installation need a copy of the file. The sender is the setting ``CAP_SENDER``; without it, a name that is nobody's.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import threading
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..base import settings
from ..base.clock import SystemClock
from ..base.errors import AnlanError, FieldError

if TYPE_CHECKING:  # the desk names itself in every warning and shall not load cryptography for it
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa

FILE = "cap-signing.pem"
BITS = 3072  # as strong as 128 bits: NIST SP 800-57, good beyond 2030
YEARS = 10
EARLIER = timedelta(days=1096)  # messages of replayed and told times, before the installation, verify as well
# R01 of CAP, and what an organisation's identifier looks like: mail-like, a domain name, or an object identifier
_SENDER = re.compile(r"(?=.{3,120}$)([A-Za-z0-9._+-]+@)?[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")


def sender() -> str:
    """Our identifier in alert messages: ``CAP_SENDER``, validated; else one of this installation under ``.invalid``."""
    chosen = str(settings.get("CAP_SENDER")).strip()
    if not chosen:
        return f"anlan@{_mark(settings.data_folder())}.invalid"
    if not _SENDER.fullmatch(chosen):
        raise FieldError(
            "ANLAN_CAP_SENDER",
            chosen,
            "应为机构标识：形如 yjj@example.gov.cn、域名或 OID，不含空格、逗号、< 和 &",
            "must identify the organisation: like desk@example.gov.cn, a domain name or an OID; no space, comma, < or &",
            code="issue.bad_sender",
        )
    return chosen


def ensure(data: Path) -> Path:
    """The key file of this installation, made when there is none yet (by one process, whole or not at all)."""
    path = data / FILE
    if not path.exists():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(65537, BITS)
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        pem += _certificate(key, SystemClock().now()).public_bytes(serialization.Encoding.PEM)
        draft = data / f".{FILE}.{os.getpid()}.{threading.get_ident()}"  # each maker its own
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(pem)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)  # somebody else may have been first: theirs stands
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise AnlanError(
                "issue.no_key",
                f"无法在 {path} 写入签名密钥：{reason}。请检查目录权限与磁盘空间。",
                f"cannot write the signing key {path}: {reason}. Check the folder's permissions and the disk.",
            ) from None
        finally:
            draft.unlink(missing_ok=True)
    return path


def _certificate(key: rsa.RSAPrivateKey, now: datetime) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "Anlan alert signing"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Anlan")]
    )
    earliest = min(now, datetime.now(UTC)) - EARLIER  # the real time too: a told clock may run before it or after it
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(earliest)
    built = built.not_valid_after(max(now, datetime.now(UTC)) + timedelta(days=366 * YEARS))
    built = built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    return built.sign(key, hashes.SHA256())


@lru_cache(maxsize=4)
def _pair(path: Path, stamp: int) -> tuple[bytes, bytes]:
    text = path.read_bytes()
    at = text.find(b"-----BEGIN CERTIFICATE-----")
    if at < 0 or b"PRIVATE KEY" not in text[:at]:
        raise AnlanError(
            "issue.no_key",
            f"签名密钥文件 {path} 已损坏：应含私钥与证书。请从备份恢复，或移走它以生成新的。",
            f"the signing key file {path} is damaged: it must hold a key and a certificate. Restore it, or move it away to get a new one.",
        )
    return text[:at], text[at:]


def pair(data: Path) -> tuple[bytes, bytes]:
    """Private key and certificate (PEM)."""
    path = ensure(data)
    return _pair(path, path.stat().st_mtime_ns)


def _mark(data: Path) -> str:
    """Eight signs of the certificate's fingerprint: tells installations apart."""
    body = pair(data)[1].split(b"-----")[2]
    return hashlib.sha256(base64.b64decode(b"".join(body.split()))).hexdigest()[:8]


def pin_own(data: Path, name: str = "") -> Path:
    """Our certificate in our own trust folder under our sender (or `name`, which was ours once): once for each sender and key."""
    from .trust import pin_name

    certificate = pair(data)[1]
    folder = data / "trust"
    path = folder / pin_name(name or sender())
    known = path.read_bytes() if path.is_file() else b""
    if certificate.strip() not in known:
        folder.mkdir(mode=0o700, exist_ok=True)
        draft = folder / f".{path.name}.{os.getpid()}"
        draft.write_bytes(known + (b"" if not known or known.endswith(b"\n") else b"\n") + certificate)
        draft.replace(path)
    return path


def signed(message: bytes, name: str = "") -> bytes:
    """The message of our sender (or `name`) with our enveloped signature; the same message gives the same bytes."""
    from .trust import sign

    data = settings.data_folder()
    pin_own(data, name)
    return sign(message, *pair(data))


def certificate() -> bytes:
    """Our certificate (PEM), to be pinned by those who receive our messages."""
    return pair(settings.data_folder())[1]
