"""E-mail by SMTP to ``ANLAN_SMTP_URL`` (``smtp://``, ``smtps://`` or ``smtp+starttls://``, user and password in it).

The relay's acceptance is the fact "channel"; nothing more is known of a mail. The Message-ID is derived from
notice and attempt, so that a mail sent twice by a crash can be told. Errors name host and reply, never credentials.
"""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import SplitResult, unquote, urlsplit

from ...base import settings
from ...base.clock import SystemClock
from ..contract import Channel, Hands, Message, Outcome

TIMEOUT_S = 10  # a relay that does not answer for ten seconds is tried again later
SENDER_DOMAIN = "localhost.localdomain"


class Email(Channel):
    """Mail, for people only; beside the inbox."""

    name = "email"
    zh, en = "电子邮件", "e-mail"
    serves = ("person",)
    rank = 30
    also = True

    def address_of(self, addresses: dict[str, str]) -> str:
        """The mail address; empty as well while no relay is set."""
        return addresses.get("email", "") if settings.get("SMTP_URL") else ""

    def deliver(self, messages: Sequence[Message], hands: Hands) -> list[Outcome]:
        """All messages over one connection."""
        try:
            where = urlsplit(str(settings.get("SMTP_URL")))
            server = _connect(where)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            failed = _failure(error)
            return [failed] * len(messages)
        try:
            return [_send(server, where, message) for message in messages]
        finally:
            try:
                server.quit()
            except (OSError, smtplib.SMTPException):
                server.close()


def _connect(where: SplitResult) -> smtplib.SMTP:
    if where.scheme not in ("smtp", "smtps", "smtp+starttls") or not where.hostname:
        raise ValueError("ANLAN_SMTP_URL must look like smtp://user:pass@host:port")
    if where.scheme == "smtps":
        server: smtplib.SMTP = smtplib.SMTP_SSL(where.hostname, where.port or 465, timeout=TIMEOUT_S, context=ssl.create_default_context())
    else:
        server = smtplib.SMTP(where.hostname, where.port or 25, timeout=TIMEOUT_S)
    if where.scheme == "smtp+starttls":
        server.starttls(context=ssl.create_default_context())
    if where.username:
        server.login(unquote(where.username), unquote(where.password or ""))
    return server


def _mail(where: SplitResult, message: Message) -> EmailMessage:
    mail = EmailMessage()
    name = unquote(where.username or "")
    sender = name if "@" in name else f"anlan@{SENDER_DOMAIN}"
    mail["Subject"] = " ".join(message.title.split())
    mail["From"] = Address("安澜 Anlan", addr_spec=sender)
    mail["To"] = Address("", addr_spec=message.address)
    mail["Date"] = format_datetime(SystemClock().now())
    mail["Message-ID"] = f"<{message.notice}.{message.attempt}@{SENDER_DOMAIN}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    return mail


def _send(server: smtplib.SMTP, where: SplitResult, message: Message) -> Outcome:
    try:
        mail = _mail(where, message)
        server.send_message(mail)
    except Exception as error:  # an address that is none, a refusal, a broken line: each has its words below
        return _failure(error)
    return Outcome("taken", provider_id=mail["Message-ID"])


def _failure(error: Exception) -> Outcome:
    """Words for a fault of SMTP, without credentials; whether another attempt makes sense."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return Outcome("failed", "邮件服务器拒绝登录，请检查账号", "the mail server refused the log-in; check the account", retry=True)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code = max((reply[0] for reply in error.recipients.values()), default=550)
        return Outcome("failed", f"收件人被拒（{code}）", f"the recipient was refused ({code})", retry=400 <= code < 500)
    if isinstance(error, smtplib.SMTPResponseException):
        code = error.smtp_code
        return Outcome("failed", f"邮件服务器回复 {code}", f"the mail server answered {code}", retry=not 500 <= code < 600)
    if isinstance(error, OSError | smtplib.SMTPServerDisconnected):
        kind = type(error).__name__
        return Outcome("failed", f"连不上邮件服务器（{kind}）", f"the mail server cannot be reached ({kind})", retry=True)
    return Outcome("failed", f"邮件无法发送（{type(error).__name__}）", f"the mail cannot be sent ({type(error).__name__})")
