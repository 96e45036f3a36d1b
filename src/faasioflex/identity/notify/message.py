"""A plain text mail."""

from __future__ import annotations

from email.errors import MessageError
from email.message import EmailMessage

from faasioflex.model.errors import Invalid


def message(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """Raises: Invalid where a header would become two."""
    mail = EmailMessage()
    try:
        if not (to.isprintable() and subject.isprintable()) or "," in to:
            raise ValueError
        mail["From"], mail["To"], mail["Subject"] = sender, to, subject
        mail["Auto-Submitted"] = "auto-generated"
    except (ValueError, MessageError):
        raise Invalid("The mail's address or subject is not one line") from None
    mail.set_content(text)
    return mail
