"""Outcomes posted to whoever asked for it: signed as Standard Webhooks says, never to an address that is not public.

The address that was looked at is the one that is connected to, and redirects are not followed, so no answer of a name server or
of the receiver leads to another place.
"""

from __future__ import annotations

import asyncio
import base64
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

import aiohttp
import structlog
from yarl import URL

from faasioflex import __version__
from faasioflex.bus.codec import decode, encode
from faasioflex.bus.events import publish_event
from faasioflex.bus.port import Bus
from faasioflex.invoker.outcome import to_json_bytes
from faasioflex.invoker.queue.pinned import Forbidden, PinnedResolver, Resolve, system_resolver
from faasioflex.model.callback import CallbackTarget, check_url, is_allowed
from faasioflex.model.egress import Destination
from faasioflex.model.errors import FfxError, SecretNotFound
from faasioflex.model.invocation import Invocation
from faasioflex.model.messages import SIGN_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall, SignReply, SignRequest
from faasioflex.runtime.own_addresses import OwnAddresses

log = structlog.get_logger(__name__)
# When the tries are due, in seconds since the call ended: twelve within nine hours. By the clock and not by a count, so a
# restart neither begins anew nor forgets one.
DUE_S = (0, 2, 10, 30, 120, 300, 900, 1800, 3600, 7200, 16_200, 32_400)
WITHIN_S = 15.0  # one try, from the look-up of the name to the answer's head
SIGN_WITHIN_S = 5.0
MOST_AT_ONCE = 16  # of one namespace: a receiver that does not answer holds up its own namespace alone
LONGEST_RESULT = 1024 * 1024  # a larger result is read at /invocations/ID
GONE = 410


@dataclass(frozen=True)
class Delivered:
    """The receiver has taken it (any 2xx)."""


@dataclass(frozen=True)
class RetryAt:
    """``at``: seconds since the epoch; ``why`` for the log."""

    at: float
    why: str


@dataclass(frozen=True)
class GivenUp:
    """It is not tried any more."""

    why: str


Delivery = Delivered | RetryAt | GivenUp
Deliver = Callable[[QueuedCall, Invocation], Awaitable[Delivery]]


class Callbacks:
    """``allowed``: the operator's setting callback_hosts. ``clock``: seconds since the epoch. ``resolve``: addresses of a name."""

    def __init__(
        self,
        bus: Bus,
        allowed: Sequence[Destination] = (),
        *,
        clock: Callable[[], float] = time.time,
        resolve: Resolve = system_resolver,
        own: OwnAddresses | None = None,
    ) -> None:
        self._bus = bus
        self._allowed = tuple(allowed)
        self._clock = clock
        self._resolve = resolve
        self._own = own or OwnAddresses()
        self._places: dict[str, _Places] = {}

    async def deliver(self, call: QueuedCall, invocation: Invocation) -> Delivery:
        """One try. Raises nothing but CancelledError."""
        if call.callback is None:
            return Delivered()
        try:
            target = check_url(call.callback.url, self._allowed)
        except ValueError as error:
            return await self._given_up(call, str(error))
        async with self._place(call.namespace):
            tried = await self._try(call, invocation, target)
        if isinstance(tried, RetryAt):
            return await self._next(call, invocation, tried)
        if isinstance(tried, GivenUp):
            return await self._given_up(call, tried.why)
        return tried

    @asynccontextmanager
    async def _place(self, namespace: str) -> AsyncIterator[None]:
        held = self._places.setdefault(namespace, _Places())
        held.users += 1
        try:
            async with held.free:
                yield
        finally:
            held.users -= 1
            if not held.users:
                self._places.pop(namespace, None)

    async def _try(self, call: QueuedCall, invocation: Invocation, target: CallbackTarget) -> Delivery:
        body, moment = to_json_bytes(invocation), str(int(self._clock()))
        if len(body) > LONGEST_RESULT:
            body = to_json_bytes(replace(invocation, result=None))
        signed = f"{invocation.invocation_id}.{moment}.".encode() + body
        try:
            signatures = await self._signatures(call, signed)
        except SecretNotFound as error:
            return GivenUp(error.message)
        except FfxError as error:
            return RetryAt(0.0, error.message)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"FaaSioFlex/{__version__}",
            "webhook-id": invocation.invocation_id,
            "webhook-timestamp": moment,
            "webhook-signature": " ".join(signatures),
        }
        try:
            async with asyncio.timeout(WITHIN_S):
                return await self._post(target, headers, body)
        except Forbidden as error:
            return GivenUp(str(error))
        except TimeoutError:
            return RetryAt(0.0, f"no answer within {WITHIN_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return RetryAt(0.0, str(error)[:300] or type(error).__name__)

    async def _post(self, target: CallbackTarget, headers: dict[str, str], body: bytes) -> Delivery:
        resolver = PinnedResolver(target, self._resolve, self._own, anywhere=is_allowed(target, self._allowed))
        await resolver.check_literal()
        connector = aiohttp.TCPConnector(resolver=resolver, use_dns_cache=False, force_close=True, limit=1)
        session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=WITHIN_S),
        )
        async with (
            session,
            session.post(_url(target), data=body, headers=headers, allow_redirects=False) as answer,
        ):
            if 200 <= answer.status < 300:
                return Delivered()
            if answer.status == GONE:
                return GivenUp("the receiver answered 410: it wants no more")
            after = answer.headers.get("Retry-After", "")
            pause_s = float(after) if after.isascii() and after.isdigit() and len(after) < 8 else 0.0
            return RetryAt(self._clock() + pause_s, f"the receiver answered {answer.status}")

    async def _signatures(self, call: QueuedCall, signed: bytes) -> tuple[str, ...]:
        secret = call.callback.secret if call.callback is not None else None
        asked = SignRequest(call.namespace, secret, base64.b64encode(signed).decode())
        reply = decode(SignReply, await self._bus.request(SIGN_SUBJECT, encode(asked), SIGN_WITHIN_S))
        if reply.code == SecretNotFound.code:
            raise SecretNotFound(reply.message or "the secret that signs is gone")
        if reply.code is not None or not reply.signatures:
            raise FfxError(f"it could not be signed: {reply.message}")
        return reply.signatures

    async def _next(self, call: QueuedCall, invocation: Invocation, tried: RetryAt) -> Delivery:
        now = self._clock()
        ended = invocation.finished_at or now
        due = [ended + each for each in DUE_S if ended + each > now]
        if not due:
            return await self._given_up(call, f"{tried.why}, and that was the last of {len(DUE_S)} tries")
        last = ended + DUE_S[-1]
        at = min(max(due[0] + (due[0] - now) * 0.2 * random.random(), tried.at), max(last, due[0]))  # noqa: S311
        log.info("a callback is tried again", invocation=call.invocation_id, reason=tried.why, in_s=round(at - now, 1))
        return RetryAt(at, tried.why)

    async def _given_up(self, call: QueuedCall, why: str) -> GivenUp:
        function = FunctionName(call.namespace, call.name)
        log.warning("a callback was given up", invocation=call.invocation_id, function=str(function), reason=why)
        try:
            data = {"invocation_id": call.invocation_id, "reason": why}
            await publish_event(self._bus, "invocation", "callback-failed", function, data, at=self._clock())
        except FfxError as error:
            log.info("that a callback was given up was not told", reason=error.message)
        return GivenUp(why)


@dataclass
class _Places:
    """Of one namespace; ``users``: who has one or waits for one."""

    free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))
    users: int = 0


def _url(target: CallbackTarget) -> URL:
    """Made of the host that was checked, so that no other reading of the URL counts."""
    parts = urlsplit(target.url)
    return URL.build(
        scheme=parts.scheme,
        host=target.host,
        port=target.port,
        path=parts.path or "/",
        query_string=parts.query,
        encoded=True,
    )
