"""The keys that tokens are signed with: files of a folder that only the platform's user may read.

``N.pem`` is the private key number N, the highest that is ``ready`` signs. A new key is published before it signs
(:data:`PUBLISH_S`), so that nobody meets a token whose key they have not fetched; an old one verifies until every token
that it signed has ended.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from faasioflex.model.errors import Unavailable

ALGORITHM = "RS256"
KEY_BITS = 2048
PUBLISH_S = 60.0  # the gateway follows within a second, others fetch keys again when they meet an unknown one
LOOK_AGAIN_S = 1.0


@dataclass(frozen=True)
class SigningKey:
    """``since``: epoch seconds of its making."""

    kid: str
    since: float
    private: RSAKey

    @property
    def public(self) -> dict[str, Any]:
        """As a JWK."""
        return {**self.private.as_dict(private=False), "kid": self.kid, "use": "sig", "alg": ALGORITHM}


class SigningKeys:
    """The keys of a folder. Any process of the platform may make one; all of them see it within a second.

    Raises Unavailable where the folder cannot be read or written.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._keys: dict[str, SigningKey] = {}  # by file name
        self._looked_at = float("-inf")

    def ensure(self) -> None:
        """Make the first key where there is none."""
        with self._locked():
            if not self._files():
                self._make(1)
        self._read()

    def rotate(self, keep_s: float, *, drop: bool = False) -> str:
        """Make a new key; remove those whose last token ended ``keep_s`` after the one that followed them. Returns its kid.

        ``drop``: remove all others at once, with every token that they signed: for a key that somebody else may have.
        """
        with self._locked():
            files = self._files()
            number = max((int(path.stem) for path in files), default=0) + 1
            kid = self._make(number)
            now = self._clock()
            if drop:
                for path in files:
                    path.unlink()
            for path, following in itertools.pairwise([] if drop else files):
                if following.stat().st_mtime + PUBLISH_S + keep_s < now:
                    path.unlink()
        self._read()
        return kid

    def newest_since(self) -> float:
        """When the newest key was made, epoch seconds."""
        return max(key.since for key in self._current().values())

    def signing_kid(self) -> str:
        """Of the key that signs now."""
        return self._signing().kid

    def sign(self, claims: Mapping[str, Any], typ: str) -> str:
        """A compact JWS with our newest published key."""
        key = self._signing()
        header = {"alg": ALGORITHM, "typ": typ, "kid": key.kid}
        return jwt.encode(header, dict(claims), key.private, algorithms=[ALGORITHM])

    def public(self, kid: str) -> RSAKey | None:
        """The key that a token names; looks for new files when it is unknown."""
        for look in (self._current, self._again):
            for key in look().values():
                if key.kid == kid:
                    return key.private
        return None

    def jwks(self) -> dict[str, Any]:
        """All public keys as a JWK set, oldest first."""
        return {"keys": [key.public for key in sorted(self._current().values(), key=lambda each: each.since)]}

    def _signing(self) -> SigningKey:
        keys = sorted(self._current().values(), key=lambda each: each.since)
        if not keys:
            raise Unavailable(f"There is no signing key in {self._folder}: start the platform again")
        published = [key for key in keys if key.since + PUBLISH_S <= self._clock()]
        return published[-1] if published else keys[0]

    def _current(self) -> dict[str, SigningKey]:
        if time.monotonic() - self._looked_at >= LOOK_AGAIN_S:
            self._read()
        return self._keys

    def _again(self) -> dict[str, SigningKey]:
        """A key that another process made this moment; a flood of unknown names reads no more than a few file names."""
        if {path.name for path in self._files()} != self._keys.keys():
            self._read()
        return self._keys

    def _read(self) -> None:
        found: dict[str, SigningKey] = {}
        for path in self._files():
            known = self._keys.get(path.name)
            try:
                found[path.name] = known or _load(path)
            except FileNotFoundError:
                continue  # another process has dropped it this moment
        self._keys = found
        self._looked_at = time.monotonic()

    def _files(self) -> list[Path]:
        try:
            return sorted((path for path in self._folder.glob("*.pem") if path.stem.isdecimal()), key=_number)
        except OSError as error:
            raise Unavailable(f"The signing keys in {self._folder} cannot be read: {error.strerror}") from error

    def _make(self, number: int) -> str:
        key = RSAKey.generate_key(KEY_BITS)
        path = self._folder / f"{number}.pem"
        fresh = path.with_suffix(".new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(key.as_pem(private=True))
            file.flush()
            os.fsync(file.fileno())
        now = self._clock()
        os.utime(fresh, (now, now))
        fresh.replace(path)
        return key.thumbprint()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"The signing keys in {self._folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def write_jwks(keys: SigningKeys, path: Path) -> None:
    """The public keys as a file, by rename, for the gateway."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(keys.jwks()))
    fresh.replace(path)


def _number(path: Path) -> int:
    return int(path.stem)


def _load(path: Path) -> SigningKey:
    try:
        key = RSAKey.import_key(path.read_bytes())
        return SigningKey(key.thumbprint(), path.stat().st_mtime, key)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise Unavailable(f"The signing key {path} cannot be read: {error}") from error
