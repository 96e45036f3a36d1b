"""Keeps mails as files, for whoever may read the data folder: where no SMTP server is set."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from faasioflex.identity.notify.message import message
from faasioflex.model.errors import Unavailable

MOST = 1000  # the oldest go first


class Outbox:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def __call__(self, to: str, subject: str, text: str) -> None:
        mail = message("faasioflex@localhost", to, subject, text)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._folder / f"{time.time_ns()}-{secrets.token_hex(4)}.eml"
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
                file.write(bytes(mail))
            for old in sorted(self._folder.glob("*.eml"))[:-MOST]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"The mail cannot be kept in {self._folder}: {error.strerror}") from error
