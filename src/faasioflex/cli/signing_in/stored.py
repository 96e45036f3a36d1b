"""Logins in ``~/.config/faasioflex/tokens/CONTEXT.json`` (0600): access and refresh token, renewed before they are over."""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from faasioflex.cli.contexts import config_file
from faasioflex.model.errors import BadRequest, FfxError, NotAuthenticated

if TYPE_CHECKING:
    from faasioflex.client import Target

RENEW_BEFORE_S = 60.0
CLIENT = "ffx-cli"


@dataclass(frozen=True)
class Tokens:
    """``url``: of the platform that they are for; they are sent to no other."""

    url: str
    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_at: float


def token_path(context: str) -> Path:
    return config_file().parent / "tokens" / f"{context}.json"


def load(context: str) -> Tokens | None:
    """None where nobody logged in there. Raises: BadRequest where the file cannot be understood."""
    path = token_path(context)
    try:
        document = json.loads(path.read_text())
        return Tokens(**{each.name: document[each.name] for each in dataclasses.fields(Tokens)})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(f"{path} cannot be read ({error}): remove it, then 'ffx login'") from error


def save(context: str, tokens: Tokens) -> None:
    """Written as a whole: another command sees the old ones or these."""
    path = token_path(context)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.parent.chmod(0o700)
    new = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(dataclasses.asdict(tokens), file)
    new.replace(path)


def forget(context: str) -> None:
    token_path(context).unlink(missing_ok=True)
    token_path(context).with_suffix(".lock").unlink(missing_ok=True)


class StoredLogin:
    """Gives the access token of a context, a new one where it is nearly over. Commands side by side renew it once."""

    def __init__(self, context: str, target: Target) -> None:
        self._context = context
        self._target = target

    def __call__(self) -> str | None:
        """Raises: NotAuthenticated where the login has ended."""
        tokens = load(self._context)
        if tokens is None or not _nearly_over(tokens):
            return tokens.access_token if tokens else None
        with _alone(self._context):
            tokens = load(self._context)  # somebody may have been faster
            if tokens is None or not _nearly_over(tokens):
                return tokens.access_token if tokens else None
            return self._renewed(tokens)

    def _renewed(self, tokens: Tokens) -> str:
        from faasioflex.cli.signing_in.oauth import TokenEndpoint
        from faasioflex.client.errors import Unreachable

        if tokens.refresh_token is None:
            return tokens.access_token
        try:
            newer = TokenEndpoint(self._target).refresh(tokens.refresh_token)
        except NotAuthenticated as error:
            raise NotAuthenticated(f"The login has ended ({error.message}): 'ffx login' again") from error
        except Unreachable:
            return tokens.access_token  # the request itself will tell
        save(self._context, newer)
        return newer.access_token


def _nearly_over(tokens: Tokens) -> bool:
    return tokens.expires_at - time.time() < RENEW_BEFORE_S


@contextmanager
def _alone(context: str) -> Iterator[None]:
    path = token_path(context).with_suffix(".lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise _CannotLock(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # let go of when it is closed
        yield
    finally:
        os.close(descriptor)


class _CannotLock(FfxError):
    code, status, title = "no-lock", 500, "The stored login cannot be renewed"
