"""The cache in front of the dispatcher: for functions with a policy it gives what is kept, and keeps what may be."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from functools import partial

from faasioflex.invoker.cache.directives import date_of, opaque
from faasioflex.invoker.cache.flight import Flight, Reader
from faasioflex.invoker.cache.kept import STATUS, Coming, Kept, is_known, not_modified, status, with_field
from faasioflex.invoker.cache.question import (
    CHANGES_NOTHING,
    CONDITIONS,
    Question,
    question,
    regime_of,
    secondary,
    unanswerable,
    uri_of,
)
from faasioflex.invoker.cache.rules import Terms, age_of, declared_bytes, terms, wish
from faasioflex.invoker.cache.store import Entry, Store
from faasioflex.invoker.call import Call
from faasioflex.invoker.dispatcher import Dispatcher
from faasioflex.invoker.given import Given
from faasioflex.invoker.http1.head import Headers, ResponseHead
from faasioflex.invoker.split import choose
from faasioflex.model.errors import NotCached
from faasioflex.model.names import FunctionName
from faasioflex.model.route import FunctionRoute

OUR_TAGS = b'"ffx-'  # of answers to which the function gave none: a digest of the body
UNKEPT_S = 10.0  # an answer could not be kept: calls of the same do not wait for each other for so long
MOST_UNKEPT = 10_000


@dataclass
class CacheCounts:
    """Since the start, of all functions. ``collapsed``: answered by somebody else's call."""

    hits: int = 0
    misses: int = 0
    collapsed: int = 0
    bypasses: int = 0
    stored: int = 0


Heard = Callable[[FunctionName], None]


def _nobody(_: FunctionName) -> None:
    return None


class Results:
    """``known``: a function's route as the copy here has it. ``clock``: seconds since the epoch. ``chance``: a number in [0, 1)
    per call, for the traffic split. ``hit`` and ``missed`` hear what came of each question.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        known: Callable[[FunctionName], FunctionRoute | None],
        *,
        most_bytes: int,
        entry_bytes: int,
        clock: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        hit: Heard = _nobody,
        missed: Heard = _nobody,
    ) -> None:
        self.counts = CacheCounts()
        self.store = Store(most_bytes)
        self._dispatcher = dispatcher
        self._known = known
        self._entry_bytes = entry_bytes
        self._clock = clock
        self._chance = chance
        self._hit = hit
        self._missed = missed
        self._flights: dict[bytes, Flight] = {}  # that others may join
        self._flying: dict[Flight, Question] = {}  # whose answers may be kept
        self._unkept: dict[bytes, float] = {}

    async def open(self, call: Call) -> Given:
        """As ``Dispatcher.open``. Raises: NotCached besides."""
        route = self._known(call.target.function)
        if route is None or route.cache is None:
            return await self._dispatcher.open(call)
        try:
            return await self._answer(call)
        except BaseException:
            call.body.release()
            raise

    def apply(self, function: FunctionName, route: FunctionRoute | None) -> None:
        """A function's route is another now (None: it is gone): only what still serves, under the same policy, stays."""
        regime = regime_of(route) if route is not None else None
        shares = route.traffic if route is not None else {}
        self.store.drop(function, lambda entry: entry.regime == regime and bool(shares.get(entry.revision)))
        self._ground(
            lambda asked: (
                asked.function == function and not (asked.regime == regime and bool(shares.get(asked.revision)))
            )
        )

    def purge(self, function: FunctionName) -> int:
        """Forget all answers of a function, those under way included. Returns how many were kept."""
        self._ground(lambda asked: asked.function == function)
        return self.store.drop(function)

    def close(self) -> None:
        for flight in list(self._flying):
            flight.cancel()

    # one call

    async def _answer(self, call: Call) -> Given:
        if not call.target.counted:
            call.metered = True  # hits reach no instance: nobody else counts them
        route = await self._dispatcher.admit(call)
        policy, named = route.cache, call.target.revision
        revision = choose(route, named if named is not None and route.traffic.get(named) else None, self._chance)
        if policy is None or revision is None:
            return await self._dispatcher.open(call)
        why = unanswerable(call, policy)
        if why is None and call.body.declared:
            await self._dispatcher.prepare(call, route, revision)
            # Another route by now: under this one's key it would be kept again.
            known = self._known(call.target.function)
            why = "bypass" if call.body.whole is None or known is not route else None
        wanted = wish(call.headers)
        if why is None and not wanted.store:
            why = "request"
        if why is not None:
            if wanted.only_kept:
                raise NotCached(
                    "There is no kept answer to this, and the request does not want another (only-if-cached)"
                )
            self.counts.bypasses += 1
            return await self._pass(call, why, uri_of(call, policy))
        asked = question(call, route, policy, revision)
        return await self._ask(call, asked)

    async def _ask(self, call: Call, asked: Question) -> Given:
        now = self._clock()
        entry, why = self.store.get(asked), "vary-miss" if self.store.knows(asked) else "uri-miss"
        if entry is not None:
            left_s = min(entry.lifetime_s, asked.ttl_s) - entry.age_at(now)
            if _is_fresh(asked, entry, left_s, now):
                return self._give(call, asked, entry, left_s, now)
            why = "stale" if left_s <= 0 else "request"
            wanted = asked.wish
            if wanted.kept and wanted.max_age_s is None and not wanted.min_fresh_s and 0 <= -left_s < entry.stale_s:
                key = self.store.key_of(asked)
                if key not in self._flights and self._may_wait(key):
                    self._fly(call, asked, entry, for_later=True)
                return self._give(call, asked, entry, left_s, now)
        if asked.wish.only_kept:
            raise NotCached("There is no kept answer to this, and the request does not want another (only-if-cached)")
        self.counts.misses += 1
        self._missed(asked.function)
        call.revision = asked.revision  # to whom it counts, if it fails
        if asked.head:
            return await self._pass(call, why, asked.uri)
        flight = self._flights.get(self.store.key_of(asked)) if asked.wish.kept else None
        if flight is not None and flight.joinable:
            return await self._follow(call, asked, flight, why)
        flight = self._fly(call, asked, entry)
        return await self._lead(call, asked, flight, why)

    def _give(self, call: Call, asked: Question, entry: Entry, left_s: float, now: float) -> Kept:
        self.counts.hits += 1
        self._hit(asked.function)
        call.body.release()
        head = ResponseHead(entry.status, entry.reason, list(entry.headers), 1)
        head = with_field(head, b"Age", str(int(entry.age_at(now))).encode())
        head = with_field(head, STATUS, status("hit", f"ttl={int(left_s)}"))
        if entry.status == 200 and is_known(call.headers, head):
            head = not_modified(head)
        call.revision, call.status = entry.revision, head.status
        return Kept(head, entry.revision, b"" if asked.head or head.status == 304 else entry.body)

    async def _pass(self, call: Call, why: str, uri: bytes) -> Given:
        """By the function alone. ``uri``: what the call is about."""
        answer = await self._dispatcher.open(call)
        if call.method not in CHANGES_NOTHING and answer.head.status < 400:
            function = call.target.function
            self.store.drop_about(function, uri)
            self._ground(lambda asked: asked.function == function and asked.uri == uri)
        answer.head = with_field(answer.head, STATUS, status(f"fwd={why}"))
        return answer

    async def _follow(self, call: Call, asked: Question, flight: Flight, why: str) -> Given:
        reader = flight.join()
        try:
            shared = await flight.opened()
            if shared and flight.terms is not None:
                vary = flight.terms.vary
                if secondary(b"", vary, flight.fields) == secondary(b"", vary, asked.fields):
                    self.counts.collapsed += 1
                    call.body.release()
                    return await self._coming(call, flight, reader, f"fwd={why}", "collapsed")
        except BaseException:
            flight.leave(reader)
            raise
        flight.leave(reader)
        return await self._pass(call, why, asked.uri)

    async def _lead(self, call: Call, asked: Question, flight: Flight, why: str) -> Given:
        reader = flight.lead()
        try:
            if await flight.opened():
                stored = ["stored"] if flight.keeping else []
                return await self._coming(call, flight, reader, f"fwd={why}", *stored)
            answer = flight.take()
        except BaseException:
            flight.leave(reader)
            raise
        flight.leave(reader)
        head = with_field(answer.head, STATUS, status(f"fwd={why}"))
        call.revision, call.status = answer.revision, head.status
        if head.status == 200 and is_known(
            call.headers, head
        ):  # the function was asked without the caller's conditions
            answer.close()
            call.status = 304
            return Kept(not_modified(head), answer.revision, b"")
        answer.head = head
        return answer

    async def _coming(self, call: Call, flight: Flight, reader: Reader, *said: str) -> Given:
        if any(OUR_TAGS in value for name, value in call.headers if name.lower() == b"if-none-match"):
            await flight.settled()
        head = replace(flight.head, headers=flight.kept_headers or flight.head.headers)
        head = with_field(head, STATUS, status(*said))
        if head.status == 200 and is_known(call.headers, head):
            head = not_modified(head)
            flight.go_on()
            flight.leave(reader)
            call.revision, call.status = flight.revision, head.status
            return Kept(head, flight.revision, b"")
        call.revision, call.status = flight.revision, head.status
        return Coming(flight, reader, head, flight.start_ms if "collapsed" not in said else None)

    # calls whose answers may be kept

    def _fly(self, call: Call, asked: Question, before: Entry | None, *, for_later: bool = False) -> Flight:
        key = self.store.key_of(asked)
        headers = [field for field in call.headers if field[0].lower() not in CONDITIONS]
        checks = _checks(before) if call.method != "POST" else []
        made = replace(call, target=replace(call.target, revision=asked.revision), headers=[*headers, *checks])
        flight = Flight(
            open=partial(self._call, made, before if checks else None),
            judge=partial(self._judge, asked),
            end=partial(self._end, asked, key),
            store=self.store,
            most_bytes=self._entry_bytes,
            fields=asked.fields,
            for_later=for_later,
        )
        self._flying[flight] = asked
        if key not in self._flights and self._may_wait(key):
            self._flights[key] = flight
        return flight

    def _may_wait(self, key: bytes) -> bool:
        """Whether the next answer may be worth waiting for: the one before could be kept, or that was long ago."""
        return self._unkept.get(key, 0.0) <= self._clock()

    async def _call(self, call: Call, before: Entry | None) -> Given:
        answer = await self._dispatcher.open(call)
        if answer.head.status != 304 or before is None:
            return answer
        answer.close()
        if _is_of_another(answer.head, before):
            asked = [field for field in call.headers if field[0].lower() not in CONDITIONS]
            return await self._dispatcher.open(replace(call, headers=asked))
        head = ResponseHead(before.status, before.reason, _refreshed(before.headers, answer.head.headers), 1)
        return Kept(head, answer.revision, before.body)

    def _judge(self, asked: Question, answer: Given) -> Terms | None:
        if answer.revision != asked.revision or (declared_bytes(answer.head) or 0) > self._entry_bytes:
            return None
        return terms(answer.head, answer.framing, ttl_s=asked.ttl_s, shared=asked.shared, now=self._clock())

    def _end(self, asked: Question, key: bytes, flight: Flight, body: bytes | None) -> None:
        may_be_kept = self._flying.pop(flight, None) is not None
        if self._flights.get(key) is flight:
            del self._flights[key]
        if flight.terms is None:
            if flight.head.status:
                if len(self._unkept) >= MOST_UNKEPT:
                    self._unkept.clear()
                self._unkept[key] = self._clock() + UNKEPT_S
            return
        if body is None:
            return
        self._unkept.pop(key, None)
        entry = self._entry(asked, flight.head, flight.terms, body)
        flight.kept_headers = entry.headers
        if may_be_kept and self.store.put(entry, asked.fields):
            self.counts.stored += 1
        else:
            flight.keeping = False

    def _entry(self, asked: Question, head: ResponseHead, agreed: Terms, body: bytes) -> Entry:
        headers = [field for field in head.headers if field[0].lower() not in (b"age", b"transfer-encoding")]
        if head.get(b"etag") is None:
            headers.append((b"ETag", OUR_TAGS + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'))
        if head.get(b"date") is None:  # RFC 9110, 6.6.1: so that nobody takes the time of a hit for it
            headers.append((b"Date", formatdate(self._clock(), usegmt=True).encode()))
        if head.status != 204 and head.get(b"content-length") is None:
            headers.append((b"Content-Length", str(len(body)).encode()))
        return Entry(
            function=asked.function,
            regime=asked.regime,
            revision=asked.revision,
            primary=asked.primary,
            uri=asked.uri,
            status=head.status,
            reason=head.reason,
            headers=headers,
            body=body,
            stored_at=self._clock(),
            age_s=age_of(head),
            lifetime_s=agreed.lifetime_s,
            stale_s=agreed.stale_s,
            vary=agreed.vary,
        )

    def _ground(self, void: Callable[[Question], bool]) -> None:
        """Calls under way whose answers are old before they have come: they reach who waits, but nobody else."""
        for flight, asked in list(self._flying.items()):
            if void(asked):
                del self._flying[flight]
                flight.joinable = flight.keeping = False
                for key in [key for key, one in self._flights.items() if one is flight]:
                    del self._flights[key]


def _is_fresh(asked: Question, entry: Entry, left_s: float, now: float) -> bool:
    wanted = asked.wish
    return (
        left_s > 0
        and wanted.kept
        and (wanted.max_age_s is None or entry.age_at(now) <= wanted.max_age_s)
        and left_s >= wanted.min_fresh_s
    )


def _checks(entry: Entry | None) -> Headers:
    """The fields that ask the function whether its answer of before still holds; only tags of its own mean something to it."""
    if entry is None or entry.status != 200:
        return []
    made: Headers = []
    for name, value in entry.headers:
        if name.lower() == b"etag" and not value.startswith(OUR_TAGS):
            made.append((b"If-None-Match", value))
        elif name.lower() == b"last-modified" and date_of(value) is not None:
            made.append((b"If-Modified-Since", value))
    return made


def _is_of_another(told: ResponseHead, entry: Entry) -> bool:
    """Whether a 304 speaks of an answer that is not the one which was asked about (RFC 9111, 4.3.4)."""
    etag = told.get(b"etag")
    return etag is not None and all(
        opaque(value) != opaque(etag) for name, value in entry.headers if name.lower() == b"etag"
    )


def _refreshed(before: Headers, told: Headers) -> Headers:
    """A kept answer's fields after a 304 (RFC 9111, 3.2): what it tells takes the place of what was there."""
    newer = [
        field
        for field in told
        if not field[0].lower().startswith(b"content-")
        and field[0].lower() not in (b"connection", b"keep-alive", b"etag")
    ]
    names = {name.lower() for name, _ in newer} | {b"date"}
    return [field for field in before if field[0].lower() not in names] + newer
