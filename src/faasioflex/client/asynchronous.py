"""The asynchronous client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import IO, Any, Self, TypeVar

import httpx

from faasioflex.client import calls
from faasioflex.client.asynchronous_identity import AsyncIdentityMethods
from faasioflex.client.asynchronous_queue import AsyncQueueMethods
from faasioflex.client.errors import error_of
from faasioflex.client.follower import Follower
from faasioflex.client.models import (
    Alert,
    Answer,
    Event,
    Function,
    FunctionMetrics,
    Health,
    Invocation,
    LogLine,
    Metrics,
    Page,
    Revision,
    Version,
)
from faasioflex.client.request import Lines, Request, Response
from faasioflex.client.tokens import Bearer, Token, namespace_of
from faasioflex.client.wire import LineSplitter, Target, encoded, final, next_wait_s, plain
from faasioflex.model.errors import BadRequest, FfxError
from faasioflex.model.names import FunctionName, is_name

T = TypeVar("T")
Name = str | FunctionName


class AsyncClient(AsyncQueueMethods, AsyncIdentityMethods):
    """Calls one platform; an asynchronous context manager that closes its connections. The same methods as :class:`Client`."""

    def __init__(
        self, target: str | Target, *, token: Token | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.target = target if isinstance(target, Target) else Target(target, token)
        settings = self.target.settings()
        self._bearer: Bearer = settings["auth"]
        self._own: str | None = None  # the caller's own namespace, once it is asked for
        self._http = httpx.AsyncClient(transport=transport, **settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def register(
        self, document: Mapping[str, Any], *, archive: IO[bytes] | None = None, wait_s: float | None = None
    ) -> Function:
        """Create a function from the resource of the API; ``archive`` is its code as tar.gz or zip.

        Raises: FunctionExists, Invalid, BadArchive, PayloadTooLarge.
        """
        return await self._send(calls.register(document, archive, wait_s))

    async def put(
        self,
        name: Name,
        document: Mapping[str, Any],
        *,
        archive: IO[bytes] | None = None,
        wait_s: float | None = None,
        if_match: str | None = None,
    ) -> Function:
        """Replace what users set; fields left out get their defaults, the code stays unless given.

        Raises: FunctionNotFound, Invalid, PreconditionFailed.
        """
        return await self._send(calls.put(await self.name(name), document, archive, wait_s, if_match))

    async def patch(
        self,
        name: Name,
        document: Mapping[str, Any],
        *,
        archive: IO[bytes] | None = None,
        wait_s: float | None = None,
        if_match: str | None = None,
    ) -> Function:
        """Change the fields that are given (RFC 7396).

        Raises: FunctionNotFound, Invalid, PreconditionFailed.
        """
        return await self._send(calls.patch(await self.name(name), document, archive, wait_s, if_match))

    async def delete(self, name: Name) -> None:
        """Delete a function; returns when its instances are gone.

        Raises: FunctionNotFound.
        """
        return await self._send(calls.delete(await self.name(name)))

    async def purge_cache(self, name: Name) -> int:
        """Forget kept answers of a function. Returns how many there were.

        Raises: FunctionNotFound, NotAllowed, Unavailable.
        """
        return await self._send(calls.purge_cache(await self.name(name)))

    async def get(self, name: Name) -> Function:
        """Raises: FunctionNotFound."""
        return await self._send(calls.get(await self.name(name)))

    async def page(
        self,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page:
        """One page of functions, sorted by name; ``list`` goes through all of them."""
        return await self._send(calls.page(namespace, labels or {}, limit, cursor))

    async def revisions(self, name: Name) -> tuple[Revision, ...]:
        """The revisions that are kept."""
        return await self._send(calls.revisions(await self.name(name)))

    async def revision(self, name: Name, number: int) -> Revision:
        """Raises: RevisionNotFound."""
        return await self._send(calls.revision(await self.name(name), number))

    async def set_traffic(self, name: Name, shares: Mapping[int, int], *, wait_s: float | None = None) -> Function:
        """Split calls: revision -> percent, sums to 100."""
        return await self._send(calls.traffic(await self.name(name), shares, wait_s))

    async def rollback(self, name: Name, to: int | None = None, *, wait_s: float | None = None) -> Function:
        """Send all calls to revision ``to``, by default the one before."""
        return await self._send(calls.rollback(await self.name(name), to, wait_s))

    async def scale(self, name: Name, instances: int) -> Function:
        """Run this many instances now; the autoscaler goes on from there."""
        return await self._send(calls.scale(await self.name(name), instances))

    async def execute(
        self, name: Name, payload: Any = None, *, timeout_s: float | None = None, **options: Any
    ) -> Invocation:
        """Call a function with a JSON payload and wait for its outcome; its own failure is an invocation with ``error``.

        ``options`` are further fields of the request: revision, mode, idempotency_key, callback, not_before, priority,
        order_key.
        """
        return await self._send(calls.execute(await self.name(name), payload, options, timeout_s))

    async def invocation(self, invocation_id: str, *, wait_s: float | None = None) -> Invocation:
        """A call by its id, ended or not."""
        return await self._send(calls.invocation(invocation_id, wait_s))

    async def metrics(self, name: Name, *, window_s: float | None = None) -> Metrics:
        """Rates, latencies and instances over the last ``window_s``."""
        return await self._send(calls.metrics(await self.name(name), window_s))

    async def metrics_of_all(
        self, *, namespace: str | None = None, window_s: float | None = None, active: bool = False
    ) -> AsyncIterator[FunctionMetrics]:
        """Those of every function, a thousand in a request. ``active``: of those alone that something happens to."""
        cursor: str | None = None
        while True:
            page = await self._send(calls.metrics_page(namespace, window_s, cursor, active=active))
            for item in page.items:
                yield item
            cursor = page.next
            if cursor is None:
                return

    async def platform_metrics(self, *, window_s: float | None = None) -> Metrics:
        """Of all functions together; ``raw`` has what is of the platform itself."""
        return await self._send(calls.platform_metrics(window_s))

    async def alerts(self, *, namespace: str | None = None) -> tuple[Alert, ...]:
        """Those that fire, in the order in which they began."""
        return (await self._send(calls.alerts(namespace))).items

    async def healthz(self) -> Health:
        """Whether the API is alive."""
        return await self._send(calls.health("/healthz"))

    async def readyz(self) -> Health:
        """Whether every part is connected; ``ok`` is False on a 503."""
        return await self._send(calls.health("/readyz"))

    async def version(self) -> Version:
        """The platform's version."""
        return await self._send(calls.version())

    async def list(
        self, *, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> AsyncIterator[Function]:
        """Every function, page by page."""
        cursor: str | None = None
        while True:
            page = await self.page(namespace=namespace, labels=labels, cursor=cursor)
            for function in page.items:
                yield function
            cursor = page.next
            if cursor is None:
                return

    async def logs(
        self,
        name: Name,
        *,
        follow: bool = False,
        since: str | None = None,
        revision: int | None = None,
        tail: int | None = None,
    ) -> AsyncIterator[LogLine]:
        """What the function wrote: since ``since`` (10m, or RFC 3339), at most ``tail`` lines of the past.

        With ``follow`` it goes on, over broken connections too, until the iterator is closed or the function is gone.
        """
        request = calls.logs(
            await self.name(name), build=False, follow=follow, since=since, revision=revision, tail=tail
        )
        async for line in self._lines(Lines(request, LogLine, follow)):
            yield line

    async def build_log(
        self, name: Name, *, follow: bool = False, revision: int | None = None, tail: int | None = None
    ) -> AsyncIterator[LogLine]:
        """What its builds wrote."""
        request = calls.logs(await self.name(name), build=True, follow=follow, since=None, revision=revision, tail=tail)
        async for line in self._lines(Lines(request, LogLine, follow)):
            yield line

    def events(
        self, *, follow: bool = False, since: str | None = None, tail: int | None = None
    ) -> AsyncIterator[Event]:
        """Changes of functions, as CloudEvents."""
        return self._lines(Lines(calls.events(follow=follow, since=since, tail=tail), Event, follow))

    async def call(
        self,
        name: Name,
        path: str = "",
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Answer:
        """Call a function on its direct path; every status is an answer, none an error."""
        async with self.open(name, path, method=method, headers=headers, content=content, timeout_s=timeout_s) as (
            answer,
            chunks,
        ):
            return Answer(answer.status, answer.headers, b"".join([chunk async for chunk in chunks]))

    @asynccontextmanager
    async def open(
        self,
        name: Name,
        path: str = "",
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Like :meth:`call`, with the body as it comes: yields the answer (its body empty) and an iterator of chunks."""
        request = calls.direct(
            await self.name(name), path, method=method, headers=headers or {}, content=content, timeout_s=timeout_s
        )
        async with self._opened(request) as response:
            try:
                yield Answer(response.status_code, plain(response.headers), b""), response.aiter_raw()
            except httpx.TransportError as error:
                raise self.target.explain(error) from error

    async def _lines(self, lines: Lines[T]) -> AsyncIterator[T]:
        follower = Follower(lines)
        while True:
            ended: FfxError | None = None
            try:
                async with self._opened(follower.request()) as response:
                    if response.status_code >= 400:
                        raise error_of(response.status_code, plain(response.headers), await response.aread())
                    follower.connected()
                    splitter = LineSplitter()
                    async for chunk in response.aiter_bytes():
                        for item in follower.items(splitter.feed(chunk)):
                            yield item
                    for item in follower.items(splitter.end()):
                        yield item
            except httpx.TransportError as error:
                ended = self.target.explain(error)
            except FfxError as error:
                ended = error
            wait_s = follower.wait_s(ended)
            if wait_s is None:
                return
            await asyncio.sleep(wait_s)

    async def name(self, name: Name) -> FunctionName:
        """Raises: Invalid for what is not a name."""
        if isinstance(name, FunctionName):
            return name
        return FunctionName.parse(name, "" if not is_name(name) else await self.space(None))

    async def space(self, namespace: str | None) -> str:
        """``namespace``, else that of names without one: the target's, else the caller's own."""
        if namespace or self.target.namespace:
            return namespace or self.target.namespace or ""
        if self._own is None:
            token = await asyncio.to_thread(self._bearer.now)
            self._own = namespace_of(token) or (await self.whoami()).namespace
        if self._own is None:
            raise BadRequest("Whoever calls here has no namespace of their own: write NAMESPACE/NAME")
        return self._own

    def _built(self, request: Request[Any]) -> httpx.Request:
        return self._http.build_request(request.method, self.target.location(request.path), **encoded(request))

    @asynccontextmanager
    async def _opened(self, request: Request[Any]) -> AsyncIterator[httpx.Response]:
        attempt = 1
        while True:
            try:
                response = await self._http.send(self._built(request), stream=True)
                break
            except httpx.TransportError as error:
                wait_s = next_wait_s(self.target, request, attempt, None, error)
                if wait_s is None:
                    raise self.target.explain(error) from error
            await asyncio.sleep(wait_s)
            attempt += 1
        try:
            yield response
        finally:
            await response.aclose()

    async def _send(self, request: Request[T]) -> T:
        attempt = 1
        while True:
            response, failure = None, None
            try:
                answer = await self._http.send(self._built(request))
                response = Response(answer.status_code, plain(answer.headers), answer.content)
            except httpx.TransportError as error:
                failure = error
            wait_s = next_wait_s(self.target, request, attempt, response, failure)
            if wait_s is None:
                return final(self.target, request, response, failure)
            await asyncio.sleep(wait_s)
            attempt += 1
