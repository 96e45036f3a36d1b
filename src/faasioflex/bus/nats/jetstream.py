"""JetStream's API over a connection that comes and goes: asking, storing, and what its errors mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import nats.errors
from nats.aio.msg import Msg

from faasioflex.bus.nats.connection import Connection
from faasioflex.bus.nats.link import Link, LinkLost
from faasioflex.model.errors import Conflict, PayloadTooLarge, Unavailable

PAUSE_S = 0.05
API = "$JS.API."
MESSAGE_NOT_FOUND = 10037
CONSUMER_NOT_FOUND = 10014
STREAM_NOT_FOUND = 10059
WRONG_LAST_SEQUENCE = (10071, 10164)
STORE_FAILED = 10077
FULL = ("maximum messages exceeded", "maximum bytes exceeded")  # it has no number of its own


class ApiError(Exception):
    """JetStream refused. ``code`` is like an HTTP status, ``number`` names the reason."""

    def __init__(self, code: int, number: int, description: str) -> None:
        super().__init__(f"{description} ({number})")
        self.code, self.number, self.description = code, number, description


class Away(Exception):
    """This attempt failed because the server or its JetStream is not (yet) there: worth another one."""


class RepeatedConflict(Conflict):
    """The expected sequence does not hold, but an earlier attempt got no answer: the newer message may be our own."""


class Full(Unavailable):
    """A stream that keeps what it has takes no more."""


@dataclass(frozen=True)
class Stored:
    sequence: int
    duplicate: bool


@dataclass
class _Attempts:
    count: int = 0


async def ask(link: Link, subject: str, data: bytes, timeout_s: float, headers: dict[str, str] | None = None) -> Any:
    """One request on one link; the parsed answer. Raises Away, ApiError, TimeoutError, PayloadTooLarge."""
    answer = json.loads((await _ask_directly(link, subject, data, timeout_s, headers)).data)
    found = answer.get("error")
    if found is None:
        return answer
    refusal = ApiError(found.get("code", 500), found.get("err_code", 0), found.get("description", ""))
    if refusal.code == 503 and not _is_full(refusal):
        raise Away(str(refusal))
    raise refusal


def _is_full(refusal: ApiError) -> bool:
    return refusal.number == STORE_FAILED and refusal.description in FULL


async def _ask_directly(
    link: Link, subject: str, data: bytes, timeout_s: float, headers: dict[str, str] | None = None
) -> Msg:
    try:
        return await link.request(subject, data, timeout_s, headers)
    except LinkLost as error:
        raise Away(str(error)) from error
    except nats.errors.NoRespondersError as error:
        raise Away(f"no stream takes {subject}") from error
    except nats.errors.MaxPayloadError as error:
        raise PayloadTooLarge(f"{len(data)} bytes are more than one message may hold") from error


async def ask_api(link: Link, call: str, request: dict[str, Any] | None, timeout_s: float) -> Any:
    """As :func:`ask`, for ``$JS.API.`` + ``call``."""
    return await ask(link, API + call, b"" if request is None else json.dumps(request).encode(), timeout_s)


class JetStream:
    """Every method waits for the server up to the connection's timeout, then raises Unavailable."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    async def api(self, call: str, request: dict[str, Any] | None = None) -> Any:
        """Ask until there is an answer: only for calls that may be repeated. Raises Unavailable, ApiError."""
        return await self._until(API + call, b"" if request is None else json.dumps(request).encode(), None)

    async def store(self, subject: str, data: bytes, headers: dict[str, str] | None = None) -> Stored:
        """Publish and wait until it is stored.

        Where the acknowledgement is lost with the connection, the same message is sent again on the next one. With a
        ``Nats-Msg-Id`` the server then answers with the sequence of the first; without one it may be stored twice.

        Raises: Unavailable (it may have been stored all the same), Conflict (RepeatedConflict where the server could not
        tell our first attempt from somebody else's write: it checks sequences before message ids), PayloadTooLarge;
        Full where the stream keeps what it has.
        """
        attempts = _Attempts()
        try:
            answer = await self._until(subject, data, headers, attempts)
        except ApiError as error:
            if error.number in WRONG_LAST_SEQUENCE:
                kind = RepeatedConflict if attempts.count > 1 else Conflict
                raise kind(f"{subject} was changed by somebody else: read it again ({error.description})") from error
            if _is_full(error):
                raise Full(
                    f"As much is stored of {subject.split('.', maxsplit=1)[0]} as may be: try again later"
                ) from error
            raise Unavailable(f"NATS does not store {subject}: {error}") from error
        return Stored(int(answer["seq"]), bool(answer.get("duplicate", False)))

    async def direct(self, call: str, data: bytes) -> Msg:
        """The answer as it is, of a call whose answers are no JSON. Raises Unavailable."""
        message: Msg = await self._until(API + call, data, None, asking=_ask_directly)
        return message

    async def _until(
        self,
        subject: str,
        data: bytes,
        headers: dict[str, str] | None,
        attempts: _Attempts | None = None,
        asking: Callable[..., Awaitable[Any]] | None = None,
    ) -> Any:
        asking = asking or ask
        clock = asyncio.get_running_loop().time
        deadline = self.connection.deadline()
        reason = "no answer in time"
        while True:
            link = await self.connection.link(deadline)
            if attempts is not None:
                attempts.count += 1
            try:
                return await asking(link, subject, data, max(deadline - clock(), PAUSE_S), headers)
            except Away as error:
                reason = str(error)
            except TimeoutError:
                pass
            if clock() + PAUSE_S >= deadline:
                raise Unavailable(f"NATS does not answer: {reason}") from None
            await asyncio.sleep(PAUSE_S)
