"""Device secrets: made here, kept only as ``scrypt$<n>$<r>$<p>$<salt>$<hash>``, checked by the gateway.

A secret made by `make_secret` has 144 random bits, so nobody guesses it however cheap the hash is;
scrypt (RFC 7914) protects the others, those that people chose. ``n`` = 512 costs about 1 ms and
0.5 MB a check, so that 200 devices log in within half a second after a restart; loaders that
register thousands of machine-made secrets may pass ``n=2``. No Django here: the gateway imports it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

COST, BLOCK, PARALLEL = 512, 8, 1
MAX_MEMORY = 64 * 1024 * 1024  # a row asking for more than this is refused, not obeyed
_SALT_BYTES, _HASH_BYTES = 12, 24


def make_secret() -> str:
    """A fresh device secret: 24 signs of URL-safe base 64."""
    return secrets.token_urlsafe(18)


def hash_secret(secret: str, n: int = COST, salt: bytes | None = None) -> str:
    """The text to keep for `secret`; `n` is scrypt's cost (a power of two above 1)."""
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    digest = hashlib.scrypt(secret.encode(), salt=salt, n=n, r=BLOCK, p=PARALLEL, dklen=_HASH_BYTES, maxmem=MAX_MEMORY)
    return f"scrypt${n}${BLOCK}${PARALLEL}${_b64(salt)}${_b64(digest)}"


def check_secret(secret: str | bytes, kept: str) -> bool:
    """Whether `secret` is the one `kept` was made from; a text of another form is never right."""
    try:
        name, n, r, p, salt, digest = kept.split("$")
        wanted = base64.urlsafe_b64decode(digest)
        if name != "scrypt" or not wanted:
            return False
        got = hashlib.scrypt(
            secret.encode() if isinstance(secret, str) else secret,
            salt=base64.urlsafe_b64decode(salt),
            n=int(n),
            r=int(r),
            p=int(p),
            dklen=len(wanted),
            maxmem=MAX_MEMORY,
        )
    except (ValueError, OverflowError, MemoryError):
        return False
    return hmac.compare_digest(got, wanted)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
