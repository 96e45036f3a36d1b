"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Self, TypeVar

import httpx

from faasioflex.client import calls
from faasioflex.client.blocking_identity import IdentityMethods
from faasioflex.client.blocking_queue import QueueMethods
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


class Client(QueueMethods, IdentityMethods):
    """Calls one platform. Thread-safe; a context manager that closes its connections.

    ``target`` is the platform's URL or a :class:`Target`. What fails raises an error of model.errors (ApiError for what the
    platform answered, Unreachable where nobody answers).
    """

    def __init__(
        self, target: str | Target, *, token: Token | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.target = target if isinstance(target, Target) else Target(target, token)
        settings = self.target.settings()
        self._bearer: Bearer = settings["auth"]
        self._own: str | None = None  # the caller's own namespace, once it is asked for
        self._http = httpx.Client(transport=transport, **settings)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def register(
        self, document: Mapping[str, Any], *, archive: IO[bytes] | None = None, wait_s: float | None = None
    ) -> Function:
        """Create a function from the resource of the API; ``archive`` is its code as tar.gz or zip.

        Raises: FunctionExists, Invalid, BadArchive, PayloadTooLarge.
        """
        return self._send(calls.register(document, archive, wait_s))

    def put(
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
        return self._send(calls.put(self.name(name), document, archive, wait_s, if_match))

    def patch(
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
        return self._send(calls.patch(self.name(name), document, archive, wait_s, if_match))

    def delete(self, name: Name) -> None:
        """Delete a function; returns when its instances are gone.

        Raises: FunctionNotFound.
        """
        return self._send(calls.delete(self.name(name)))

    def purge_cache(self, name: Name) -> int:
        """Forget kept answers of a function. Returns how many there were.

        Raises: FunctionNotFound, NotAllowed, Unavailable.
        """
        return self._send(calls.purge_cache(self.name(name)))

    def get(self, name: Name) -> Function:
        """Raises: FunctionNotFound."""
        return self._send(calls.get(self.name(name)))

    def page(
        self,
        *,
        namespace: str | None = None,
        labels: Mapping[str, str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page:
        """One page of functions, sorted by name; ``list`` goes through all of them."""
        return self._send(calls.page(namespace, labels or {}, limit, cursor))

    def revisions(self, name: Name) -> tuple[Revision, ...]:
        """The revisions that are kept."""
        return self._send(calls.revisions(self.name(name)))

    def revision(self, name: Name, number: int) -> Revision:
        """Raises: RevisionNotFound."""
        return self._send(calls.revision(self.name(name), number))

    def set_traffic(self, name: Name, shares: Mapping[int, int], *, wait_s: float | None = None) -> Function:
        """Split calls: revision -> percent, sums to 100."""
        return self._send(calls.traffic(self.name(name), shares, wait_s))

    def rollback(self, name: Name, to: int | None = None, *, wait_s: float | None = None) -> Function:
        """Send all calls to revision ``to``, by default the one before."""
        return self._send(calls.rollback(self.name(name), to, wait_s))

    def scale(self, name: Name, instances: int) -> Function:
        """Run this many instances now; the autoscaler goes on from there."""
        return self._send(calls.scale(self.name(name), instances))

    def execute(self, name: Name, payload: Any = None, *, timeout_s: float | None = None, **options: Any) -> Invocation:
        """Call a function with a JSON payload and wait for its outcome; its own failure is an invocation with ``error``.

        ``options`` are further fields of the request: revision, mode, idempotency_key, callback, not_before, priority,
        order_key.
        """
        return self._send(calls.execute(self.name(name), payload, options, timeout_s))

    def invocation(self, invocation_id: str, *, wait_s: float | None = None) -> Invocation:
        """A call by its id, ended or not."""
        return self._send(calls.invocation(invocation_id, wait_s))

    def metrics(self, name: Name, *, window_s: float | None = None) -> Metrics:
        """Rates, latencies and instances over the last ``window_s``."""
        return self._send(calls.metrics(self.name(name), window_s))

    def metrics_of_all(
        self, *, namespace: str | None = None, window_s: float | None = None, active: bool = False
    ) -> Iterator[FunctionMetrics]:
        """Those of every function, a thousand in a request. ``active``: of those alone that something happens to."""
        cursor: str | None = None
        while True:
            page = self._send(calls.metrics_page(namespace, window_s, cursor, active=active))
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def platform_metrics(self, *, window_s: float | None = None) -> Metrics:
        """Of all functions together; ``raw`` has what is of the platform itself."""
        return self._send(calls.platform_metrics(window_s))

    def alerts(self, *, namespace: str | None = None) -> tuple[Alert, ...]:
        """Those that fire, in the order in which they began."""
        return (self._send(calls.alerts(namespace))).items

    def healthz(self) -> Health:
        """Whether the API is alive."""
        return self._send(calls.health("/healthz"))

    def readyz(self) -> Health:
        """Whether every part is connected; ``ok`` is False on a 503."""
        return self._send(calls.health("/readyz"))

    def version(self) -> Version:
        """The platform's version."""
        return self._send(calls.version())

    def list(self, *, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> Iterator[Function]:
        """Every function, page by page."""
        cursor: str | None = None
        while True:
            page = self.page(namespace=namespace, labels=labels, cursor=cursor)
            yield from page.items
            cursor = page.next
            if cursor is None:
                return

    def logs(
        self,
        name: Name,
        *,
        follow: bool = False,
        since: str | None = None,
        revision: int | None = None,
        tail: int | None = None,
    ) -> Iterator[LogLine]:
        """What the function wrote: since ``since`` (10m, or RFC 3339), at most ``tail`` lines of the past.

        With ``follow`` it goes on, over broken connections too, until the iterator is closed or the function is gone.
        """
        request = calls.logs(self.name(name), build=False, follow=follow, since=since, revision=revision, tail=tail)
        return self._lines(Lines(request, LogLine, follow))

    def build_log(
        self, name: Name, *, follow: bool = False, revision: int | None = None, tail: int | None = None
    ) -> Iterator[LogLine]:
        """What its builds wrote."""
        request = calls.logs(self.name(name), build=True, follow=follow, since=None, revision=revision, tail=tail)
        return self._lines(Lines(request, LogLine, follow))

    def events(self, *, follow: bool = False, since: str | None = None, tail: int | None = None) -> Iterator[Event]:
        """Changes of functions, as CloudEvents."""
        return self._lines(Lines(calls.events(follow=follow, since=since, tail=tail), Event, follow))

    def call(
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
        with self.open(name, path, method=method, headers=headers, content=content, timeout_s=timeout_s) as (
            answer,
            chunks,
        ):
            return Answer(answer.status, answer.headers, b"".join(chunks))

    @contextmanager
    def open(
        self,
        name: Name,
        path: str = "",
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float | None = None,
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Like :meth:`call`, with the body as it comes: yields the answer (its body empty) and an iterator of chunks."""
        request = calls.direct(
            self.name(name), path, method=method, headers=headers or {}, content=content, timeout_s=timeout_s
        )
        with self._opened(request) as response:
            try:
                yield Answer(response.status_code, plain(response.headers), b""), response.iter_raw()
            except httpx.TransportError as error:
                raise self.target.explain(error) from error

    def _lines(self, lines: Lines[T]) -> Iterator[T]:
        follower = Follower(lines)
        while True:
            ended: FfxError | None = None
            try:
                with self._opened(follower.request()) as response:
                    if response.status_code >= 400:
                        raise error_of(response.status_code, plain(response.headers), response.read())
                    follower.connected()
                    splitter = LineSplitter()
                    for chunk in response.iter_bytes():
                        yield from follower.items(splitter.feed(chunk))
                    yield from follower.items(splitter.end())
            except httpx.TransportError as error:
                ended = self.target.explain(error)
            except FfxError as error:
                ended = error
            wait_s = follower.wait_s(ended)
            if wait_s is None:
                return
            time.sleep(wait_s)

    def name(self, name: Name) -> FunctionName:
        """Raises: Invalid for what is not a name."""
        if isinstance(name, FunctionName):
            return name
        return FunctionName.parse(name, "" if not is_name(name) else self.space(None))

    def space(self, namespace: str | None) -> str:
        """``namespace``, else that of names without one: the target's, else the caller's own."""
        if namespace or self.target.namespace:
            return namespace or self.target.namespace or ""
        if self._own is None:
            token = self._bearer.now()
            self._own = namespace_of(token) or (self.whoami()).namespace
        if self._own is None:
            raise BadRequest("Whoever calls here has no namespace of their own: write NAMESPACE/NAME")
        return self._own

    def _built(self, request: Request[Any]) -> httpx.Request:
        return self._http.build_request(request.method, self.target.location(request.path), **encoded(request))

    @contextmanager
    def _opened(self, request: Request[Any]) -> Iterator[httpx.Response]:
        attempt = 1
        while True:
            try:
                response = self._http.send(self._built(request), stream=True)
                break
            except httpx.TransportError as error:
                wait_s = next_wait_s(self.target, request, attempt, None, error)
                if wait_s is None:
                    raise self.target.explain(error) from error
            time.sleep(wait_s)
            attempt += 1
        try:
            yield response
        finally:
            response.close()

    def _send(self, request: Request[T]) -> T:
        attempt = 1
        while True:
            response, failure = None, None
            try:
                answer = self._http.send(self._built(request))
                response = Response(answer.status_code, plain(answer.headers), answer.content)
            except httpx.TransportError as error:
                failure = error
            wait_s = next_wait_s(self.target, request, attempt, response, failure)
            if wait_s is None:
                return final(self.target, request, response, failure)
            time.sleep(wait_s)
            attempt += 1
