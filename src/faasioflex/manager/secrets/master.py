"""The master key, which wraps the keys of namespaces: in a file, in the environment, or in somebody else's hands (KMS).

A file or variable holds keys of 32 bytes in base64, the first of them in use; those after it only open what they wrapped.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path
from typing import Protocol

from faasioflex.manager.secrets import sealing
from faasioflex.manager.secrets.sealing import KEY_BYTES, NONCE_BYTES, SealBroken
from faasioflex.model.errors import Unavailable, WrongState

ENVIRONMENT_NAME = "FFX_SECRETS_KEY"
_MOST_KEYS = 16


class MasterKey(Protocol):
    """Every method raises Unavailable, with the cure, while the key cannot be had."""

    async def prepare(self, *, fresh: bool) -> None:
        """``fresh``: nothing was wrapped yet, so one may be made."""

    async def current(self) -> str:
        """The id of what wraps now."""

    async def wrap(self, key: bytes, namespace: str, key_id: str) -> tuple[str, str]:
        """Its id, and the key wrapped by it."""

    async def unwrap(self, master_id: str, wrapped: str, namespace: str, key_id: str) -> bytes:
        """Raises: SealBroken where it was not wrapped so."""

    async def renew(self) -> None:
        """Another one wraps from now on; those before still open. Raises: WrongState where that is done elsewhere."""

    async def forget_old(self) -> None:
        """Only the one in use is kept: nothing is wrapped by another any more."""


class HeldKeys:
    """Keys in this process; ``where`` names their place for people."""

    def __init__(self, keys: list[bytes], where: str) -> None:
        self._keys = keys
        self._where = where

    async def prepare(self, *, fresh: bool) -> None:
        """They are there or they are not."""

    async def current(self) -> str:
        return sealing.id_of(self._first())

    def _first(self) -> bytes:
        if not self._keys:
            raise Unavailable(f"There is no master key of secrets in {self._where}")
        return self._keys[0]

    async def wrap(self, key: bytes, namespace: str, key_id: str) -> tuple[str, str]:
        first = self._first()
        master_id = sealing.id_of(first)
        nonce, sealed = sealing.seal(first, key, sealing.about_key(namespace, key_id, master_id))
        return master_id, sealing.to_text(nonce + sealed)

    async def unwrap(self, master_id: str, wrapped: str, namespace: str, key_id: str) -> bytes:
        content = sealing.from_text(wrapped)
        about = sealing.about_key(namespace, key_id, master_id)
        return sealing.unseal(self._named(master_id), content[:NONCE_BYTES], content[NONCE_BYTES:], about)

    def _named(self, master_id: str) -> bytes:
        for key in self._keys:
            if sealing.id_of(key) == master_id:
                return key
        raise Unavailable(
            f"The master key {master_id}, which wraps keys of secrets, is not in {self._where}: put it back there, after the "
            "one in use, until 'ffx secret rotate' has been run"
        )

    async def renew(self) -> None:
        raise WrongState(
            f"The master key comes from {self._where}: put another one before it there, separated by a comma, and start again"
        )

    async def forget_old(self) -> None:
        """Whoever set them takes the old ones out."""


class FileKeys(HeldKeys):
    """One per line in a file that only we may read; made at the first start."""

    def __init__(self, path: Path) -> None:
        super().__init__([], str(path))
        self._path = path

    async def prepare(self, *, fresh: bool) -> None:
        try:
            self._keys = parse_keys(self._path.read_text("ascii"), str(self._path))
        except FileNotFoundError:
            if not fresh:
                raise Unavailable(
                    f"{self._path}, the master key of secrets, is gone: put it back from your backup; without it no secret "
                    "can be read"
                ) from None
            self._write([sealing.new_key()])
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"The master key of secrets cannot be read: {error}") from error

    def _first(self) -> bytes:
        if not self._keys:
            self._read()
        return super()._first()

    def _named(self, master_id: str) -> bytes:
        if all(sealing.id_of(key) != master_id for key in self._keys):
            self._read()  # another process made a new one
        return super()._named(master_id)

    def _read(self) -> None:
        try:
            self._keys = parse_keys(self._path.read_text("ascii"), str(self._path))
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"The master key of secrets cannot be read: {error}") from error

    async def renew(self) -> None:
        self._read()
        if len(self._keys) >= _MOST_KEYS:
            raise WrongState(f"{self._path} holds {len(self._keys)} keys: rotate again once all secrets can be read")
        self._write([sealing.new_key(), *self._keys])

    async def forget_old(self) -> None:
        self._read()
        if len(self._keys) > 1:
            self._write(self._keys[:1])

    def _write(self, keys: list[bytes]) -> None:
        """Whole or not at all, and on disk before anything is wrapped by it."""
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.writelines(f"{sealing.to_text(key)}\n" for key in keys)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise Unavailable(f"The master key of secrets cannot be written: {error}") from error
        self._keys = keys


def parse_keys(text: str, where: str) -> list[bytes]:
    """Separated by commas or white space. Raises: Unavailable, which tells no key."""
    found = []
    for part in text.replace(",", " ").split():
        try:
            key = base64.b64decode(part, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != KEY_BYTES:
            raise Unavailable(
                f"A master key in {where} is not {KEY_BYTES} bytes in base64: make one with 'openssl rand -base64 32'"
            )
        found.append(key)
    if not found:
        raise Unavailable(f"There is no master key in {where}: make one with 'openssl rand -base64 32'")
    return found


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


__all__ = ["ENVIRONMENT_NAME", "FileKeys", "HeldKeys", "MasterKey", "SealBroken", "parse_keys"]
