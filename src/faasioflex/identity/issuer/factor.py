"""The second factor: codes of an authenticator app (RFC 6238), and recovery codes for a lost one."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import replace
from pathlib import Path

import pyotp
from cryptography.fernet import Fernet, InvalidToken

from faasioflex.model.errors import Unavailable
from faasioflex.model.login import Account

RECOVERY_CODES = 10


class SecondFactor:
    """Secrets are encrypted with a key in the login's folder, 0600."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "totp.key"

    def seal(self, secret: str) -> str:
        return self._key().encrypt(secret.encode()).decode()

    def checked(self, account: Account, code: str, now: float) -> Account | None:
        """The account after a code that holds was used; None where it does not."""
        code = code.replace(" ", "").replace("-", "").lower()
        if code.isdecimal() and len(code) == 6:
            step = accepted_step(self.opened(account.totp), code, now)
            return replace(account, totp_step=step) if step is not None and step > account.totp_step else None
        digest = _digest(code)
        for kept in account.recovery:
            if hmac.compare_digest(kept, digest):
                return replace(account, recovery=tuple(one for one in account.recovery if one != kept))
        return None

    def opened(self, sealed: str) -> str:
        try:
            return self._key().decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Unavailable(f"The second factor cannot be checked: {self._path} is another key") from None

    def _key(self) -> Fernet:
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return Fernet(self._path.read_bytes())
        with os.fdopen(fd, "wb") as file:
            file.write(Fernet.generate_key())
        return Fernet(self._path.read_bytes())


def accepted_step(secret: str, code: str, now: float) -> int | None:
    """The step of 30 s whose code this is: now, or one before or after."""
    totp, current = pyotp.TOTP(secret), int(now) // 30
    return next(
        (one for one in (current, current - 1, current + 1) if hmac.compare_digest(totp.generate_otp(one), code)), None
    )


def recovery_codes() -> tuple[list[str], tuple[str, ...]]:
    """To show once, and their hashes: 80 random bits each need no slow hash."""
    codes = [secrets.token_hex(10) for _ in range(RECOVERY_CODES)]
    return codes, tuple(_digest(code) for code in codes)


def _digest(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
