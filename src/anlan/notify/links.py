"""Signed addresses that leave the house: a household's own page, and where a gateway reports what became of a message.

They open exactly one thing each and hold no secret. ``PUBLIC_URL`` is our web address as the outside reaches it;
without it nothing of the kind can be given away, and the texts are empty.
"""

from __future__ import annotations

from django.core import signing

from ..base import settings
from ..base.errors import AnlanError

HOUSEHOLD = "anlan.household"
RECEIPT = "anlan.gateway.receipt"


def household_token(household_id: str) -> str:
    """The signed part of a household's own link (``/h/<token>``); it opens this household's messages only."""
    return signing.dumps(household_id, salt=HOUSEHOLD)


def receipt_token(notice_id: str, attempt: int) -> str:
    """The signed part of a gateway's call-back: speaks for this notice and attempt only."""
    return signing.dumps([notice_id, attempt], salt=RECEIPT)


def receipt_of(token: str) -> tuple[str, int]:
    """Notice and attempt of a call-back; ``notify.no_such_link`` for anything that we did not sign."""
    try:
        notice, attempt = signing.loads(token, salt=RECEIPT)
    except (signing.BadSignature, ValueError, TypeError):
        raise AnlanError("notify.no_such_link", "回执地址无效", "the address of this receipt is not valid", status=404) from None
    return str(notice), int(attempt)


def household_link(household_id: str) -> str:
    """The household's page as an address to be sent, empty without ``PUBLIC_URL``."""
    base = str(settings.get("PUBLIC_URL")).rstrip("/")
    return f"{base}/h/{household_token(household_id)}" if base else ""


def receipt_link(notice_id: str, attempt: int) -> str:
    """Where a gateway reports, empty without ``PUBLIC_URL``."""
    base = str(settings.get("PUBLIC_URL")).rstrip("/")
    return f"{base}/api/gateway/receipts/{receipt_token(notice_id, attempt)}" if base else ""
