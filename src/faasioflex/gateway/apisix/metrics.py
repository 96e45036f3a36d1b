"""Calls and load per revision, out of looks at the exporter's counters."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import httpx
import structlog

from faasioflex.gateway.apisix.exposition import Blind, Counted, Key, parse
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.model.messages import RevisionCalls, RevisionLoad
from faasioflex.model.names import FunctionName

log = structlog.get_logger(__name__)
WINDOW_S = 20.0  # the exporter makes its page anew every 15 s where nobody sets refresh_interval
STALE_S = 10.0


class Metrics:
    """:meth:`look` again and again; the others answer from what was seen. ``names``: route -> function, kept by the driver."""

    def __init__(
        self,
        settings: ApisixSettings,
        names: Mapping[str, FunctionName],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._names = names
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._seen: deque[tuple[float, dict[Key, Counted]]] = deque()
        self._issued: dict[Key, Counted] | None = None  # as of the last loads
        self._told: dict[Key, Counted] | None = None  # as of the last calls
        self._why = ""

    async def look(self) -> None:
        now = self._clock()
        try:
            answer = await self._opened().get(self._settings.metrics_url)
            answer.raise_for_status()
            found = parse(answer.text, self._names)
        except (httpx.HTTPError, Blind, ValueError) as error:
            why = str(error) if isinstance(error, Blind) else type(error).__name__
            if why != self._why:
                log.warning("the gateway does not tell of its calls", url=self._settings.metrics_url, error=why)
            self._why = why
            self._seen.clear()
            return
        self._why = ""
        self._seen.append((now, found))
        while len(self._seen) > 2 and now - self._seen[1][0] >= WINDOW_S:
            self._seen.popleft()

    def loads(self) -> tuple[RevisionLoad, ...] | None:
        """``in_progress``: the average over the window of calls that have ended, by how long they took (Little's law)."""
        if len(self._seen) < 2 or self._clock() - self._seen[-1][0] > STALE_S:
            return None
        (first_at, first), (last_at, last) = self._seen[0], self._seen[-1]
        before, self._issued = self._issued, last
        made = []
        for key in sorted(self._known(last)):
            if key[2]:
                continue  # the invoker counts its calls itself
            passed_ms = max(last_at - first_at, 0.001) * 1000
            average = round(last[key].since(first.get(key)).duration_sum_ms / passed_ms)
            issued = 0 if before is None else last[key].since(before.get(key)).answered
            if average or issued:  # series stay for good, also of revisions that are long gone
                name = self._names[key[0]]
                made.append(RevisionLoad(name.namespace, name.name, key[1], average, issued))
        return tuple(made)

    def calls(self) -> tuple[RevisionCalls, ...] | None:
        """Answered since the call of this method before, the first time none; None while nothing is told."""
        if not self._seen or self._clock() - self._seen[-1][0] > STALE_S:
            return None
        now = self._seen[-1][1]
        before, self._told = self._told, now
        if before is None:
            return ()
        new: dict[tuple[str, int], Counted] = {}
        for key in sorted(self._known(now)):
            more = now[key].since(before.get(key))
            if more.answered:
                new[key[:2]] = more.plus(new.get(key[:2], Counted()))
        return tuple(self._told_as(*key, counted) for key, counted in new.items())

    def _told_as(self, route: str, revision: int, new: Counted) -> RevisionCalls:
        name = self._names[route]
        classes = {first: count for first, count in new.classes.items() if count}
        made = RevisionCalls(
            name.namespace, name.name, revision, new.answered, classes.get(5, 0), new.durations(), new.duration_sum_ms
        )
        return replace(made, classes=classes)

    async def close(self) -> None:
        client, self._client = self._client, None
        self._seen.clear()
        if client is not None:
            await client.aclose()

    def _known(self, found: Mapping[Key, Counted]) -> set[Key]:
        return {key for key in found if key[0] in self._names}

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=self._settings.timeout_s, trust_env=False)
        return self._client
