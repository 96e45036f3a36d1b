"""Sends mails by SMTP."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import aiosmtplib

from faasioflex.identity.notify.message import message
from faasioflex.model.errors import Unavailable

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Smtp:
    """``tls``: "starttls" (demanded), "tls" from the first byte, or "none". The password's file is read at every mail."""

    host: str
    port: int
    sender: str
    tls: str = "starttls"
    user: str | None = None
    password_file: Path | None = None

    async def __call__(self, to: str, subject: str, text: str) -> None:
        mail = message(self.sender, to, subject, text)
        try:
            password = self.password_file.read_text().strip() if self.password_file is not None else None
            await aiosmtplib.send(
                mail,
                hostname=self.host,
                port=self.port,
                username=self.user,
                password=password,
                use_tls=self.tls == "tls",
                start_tls=self.tls == "starttls",
                timeout=TIMEOUT_S,
            )
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Unavailable(f"The mail cannot be sent by {self.host}:{self.port}: {type(error).__name__}") from error
