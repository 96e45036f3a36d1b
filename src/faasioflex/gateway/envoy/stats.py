"""Calls that Envoy has answered through the revisions' clusters, out of its own statistics.

Envoy counts a call once, with its last answer and its whole duration, however often it was tried: one that overflowed to the
invoker, or came there because no instance was left, is counted here and not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from faasioflex.gateway.envoy.clusters import FUNCTION_PREFIX, parse_cluster_name
from faasioflex.model.durations import Counts, add, bucket_of
from faasioflex.model.messages import RevisionCalls

Key = tuple[str, str, int]
TIMEOUT_S = 5.0
_CLUSTER = "cluster."
_WANTED = rf"^(server\.uptime|cluster\.{FUNCTION_PREFIX}[^.]*\.upstream_rq_(completed|[1-5]xx|time))$"
_QUERY = {"format": "json", "usedonly": "", "histogram_buckets": "detailed", "filter": _WANTED}


@dataclass
class Counted:
    """Of one cluster since Envoy started (or since the cluster came)."""

    answered: int = 0
    classes: dict[int, int] = field(default_factory=dict)  # first digit of the status -> calls
    durations: dict[int, int] = field(default_factory=dict)
    duration_sum_ms: float = 0.0

    @property
    def errors(self) -> int:
        return self.classes.get(5, 0)

    def since(self, before: Counted | None) -> Counted:
        """What came after ``before``; all of it where the counters began again meanwhile."""
        if before is None or self.answered < before.answered or self.errors < before.errors:
            return self
        return Counted(
            self.answered - before.answered,
            _more(self.classes, before.classes),
            _more(self.durations, before.durations),
            max(self.duration_sum_ms - before.duration_sum_ms, 0.0),
        )


def _more(now: Counts, before: Counts) -> dict[int, int]:
    more = {key: count - before.get(key, 0) for key, count in now.items()}
    return {key: count for key, count in more.items() if count > 0}


def parse(document: Mapping[str, Any]) -> tuple[int, dict[Key, Counted]]:
    """Envoy's uptime in seconds, and its counts per revision. ``document``: what ``/stats`` answers in JSON."""
    uptime_s = 0
    found: dict[Key, Counted] = {}
    for stat in document["stats"]:
        if "histograms" in stat:
            for histogram in stat["histograms"].get("details", ()):
                _, counted = _named(histogram["name"], found)
                if counted is not None:
                    _take_durations(counted, histogram.get("totals", ()))
            continue
        what, counted = _named(stat["name"], found)
        if counted is None:
            uptime_s = int(stat["value"])
        elif what == "upstream_rq_completed":
            counted.answered = int(stat["value"])
        else:
            counted.classes[int(what.removesuffix("xx")[-1])] = int(stat["value"])
    return uptime_s, found


def _named(name: str, found: dict[Key, Counted]) -> tuple[str, Counted | None]:
    cluster, _, what = name.removeprefix(_CLUSTER).rpartition(".")
    key = parse_cluster_name(cluster)
    return what, None if key is None else found.setdefault(key, Counted())


def _take_durations(counted: Counted, bins: Any) -> None:
    """Envoy keeps whole milliseconds, cut off, in bins of two digits: none of them lies across one of our bounds."""
    for each in bins:
        low, count = float(each["lower_bound"]), int(each["count"])
        add(counted.durations, {bucket_of(low): count})
        counted.duration_sum_ms += count * (low + max(float(each["width"]), 1.0) / 2)


class CallStats:
    """``socket``: Envoy's admin interface. What Envoy counted before the first :meth:`take` was told by another process."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._client: httpx.AsyncClient | None = None
        self._uptime_s = 0
        self._before: dict[Key, Counted] | None = None

    async def take(self) -> tuple[RevisionCalls, ...] | None:
        """Answered since the ``take`` before, revisions without any left out; None while Envoy does not say."""
        try:
            got = await self._opened().get("/stats", params=_QUERY)
            got.raise_for_status()
            uptime_s, now = parse(json.loads(got.content))
        except (httpx.HTTPError, ValueError, KeyError):
            return None
        before, self._before = self._before, now
        restarted = uptime_s < self._uptime_s
        self._uptime_s = uptime_s
        if before is None:
            return ()
        found = []
        for key in sorted(now):
            new = now[key].since(None if restarted else before.get(key))
            if new.answered or new.durations:
                calls = RevisionCalls(*key, new.answered, new.errors, new.durations, new.duration_sum_ms)
                found.append(replace(calls, classes=new.classes))
        return tuple(found)

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            over = httpx.AsyncHTTPTransport(uds=str(self._socket))
            self._client = httpx.AsyncClient(transport=over, base_url="http://envoy", timeout=TIMEOUT_S)
        return self._client
