"""What callbacks are signed with, as Standard Webhooks says: a secret that the call named, else a key of the namespace's own.

That key is derived from the one that encrypts the namespace's secrets, so it changes with ``ffx secret rotate``; for a day after
that callbacks carry a signature by the key of before too.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Awaitable, Callable

import structlog

from faasioflex.bus.codec import decode, encode
from faasioflex.bus.port import Bus
from faasioflex.manager.secrets.store import SecretStore
from faasioflex.model.errors import FfxError, SecretNotFound
from faasioflex.model.messages import SIGN_SUBJECT
from faasioflex.model.queue import SignReply, SignRequest

log = structlog.get_logger(__name__)
PREFIX = "whsec_"
OLD_KEYS_S = 86_400.0
QUEUE_GROUP = "signers"


class CallbackKeys:
    """``clock``: seconds since the epoch. Raises (from all): Unavailable where the bus or the master key is away."""

    def __init__(self, store: SecretStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def of(self, namespace: str) -> list[str]:
        """``whsec_…``: the namespace's own key, then those that were replaced within a day."""
        return [PREFIX + base64.b64encode(key).decode() for key in await self._own(namespace)]

    async def sign(self, namespace: str, secret: str | None, content: bytes) -> tuple[str, ...]:
        """Raises: SecretNotFound."""
        keys = await self._own(namespace) if secret is None else [await self._named(namespace, secret)]
        return tuple(signature(key, content) for key in keys)

    async def _own(self, namespace: str) -> list[bytes]:
        await self._store.prepared()
        held = await self._store.keyring.recent(namespace, self._clock(), OLD_KEYS_S)
        return [hmac.digest(key, f"ffx callback key\n{namespace}".encode(), "sha256") for key in held]

    async def _named(self, namespace: str, secret: str) -> bytes:
        found = (await self._store.values(namespace, (secret,))).get(secret)
        if found is None:
            raise SecretNotFound(f"There is no secret {secret!r} in {namespace} to sign the callback with")
        return key_of(found)


class CallbackSigner:
    """Answers the invoker on ``ffx.callback-sign``, in the process that has the master key."""

    def __init__(self, bus: Bus, keys: CallbackKeys) -> None:
        self._bus = bus
        self._keys = keys
        self._unsubscribe: Callable[[], Awaitable[None]] | None = None

    @property
    def problem(self) -> str | None:
        return None if self._unsubscribe is not None else "callbacks cannot be signed yet"

    async def start(self) -> None:
        self._unsubscribe = await self._bus.subscribe(SIGN_SUBJECT, self._answer, queue=QUEUE_GROUP)

    async def stop(self) -> None:
        unsubscribe, self._unsubscribe = self._unsubscribe, None
        if unsubscribe is not None:
            await unsubscribe()

    async def _answer(self, _subject: str, data: bytes) -> bytes:
        try:
            asked = decode(SignRequest, data)
            content = base64.b64decode(asked.content_base64)
            return encode(SignReply(await self._keys.sign(asked.namespace, asked.secret, content)))
        except FfxError as error:
            return encode(SignReply(code=error.code, message=error.message))
        except Exception:
            log.exception("a callback could not be signed")
            return encode(SignReply(code=FfxError.code, message="The callback could not be signed: the log tells"))


def key_of(value: bytes) -> bytes:
    """Of a secret: what ``whsec_`` and base64 say, else the value as it is."""
    text = value.strip()
    if text.startswith(PREFIX.encode()):
        try:
            return base64.b64decode(text.removeprefix(PREFIX.encode()), validate=True)
        except binascii.Error:
            return value
    return value


def signature(key: bytes, content: bytes) -> str:
    """``v1,BASE64`` of the HMAC-SHA256."""
    return "v1," + base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
