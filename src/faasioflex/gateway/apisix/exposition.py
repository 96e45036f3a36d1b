"""What APISIX's Prometheus exporter says of functions' routes. Pure.

The label ``consumer`` holds the revision that had the call (``3``, or ``3-invoker`` where the invoker took over): the script of
each try sets it, for there is no label of an upstream.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faasioflex.model.durations import bucket_of

Key = tuple[str, int, bool]  # route's id, revision, whether the invoker took over
STATUS, LATENCY = "apisix_http_status", "apisix_http_latency"
_LINE = re.compile(r"([a-z_]+)\{(.*)\} ([0-9.eE+-]+)(?: [0-9]+)?")
_CONSUMER = re.compile(r"([0-9]+)(-invoker)?")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')


class Blind(ValueError):
    """The labels that tell revisions apart are not there."""


@dataclass
class Counted:
    """Of one revision since APISIX started. ``buckets``: upper bound in ms -> calls that took no longer."""

    classes: dict[int, int] = field(default_factory=dict)  # first digit of the status -> calls
    buckets: dict[float, int] = field(default_factory=dict)
    ended: int = 0
    duration_sum_ms: float = 0.0

    @property
    def answered(self) -> int:
        return sum(self.classes.values())

    def since(self, before: Counted | None) -> Counted:
        """What came after ``before``; all of it where the counters began again meanwhile."""
        if before is None or self.answered < before.answered or self.ended < before.ended:
            return self
        return Counted(
            {key: count - before.classes.get(key, 0) for key, count in self.classes.items()},
            {bound: count - before.buckets.get(bound, 0) for bound, count in self.buckets.items()},
            self.ended - before.ended,
            max(self.duration_sum_ms - before.duration_sum_ms, 0.0),
        )

    def plus(self, other: Counted) -> Counted:
        def both(one: dict[Any, int], two: dict[Any, int]) -> dict[Any, int]:
            return {key: one.get(key, 0) + two.get(key, 0) for key in one.keys() | two.keys()}

        return Counted(
            both(self.classes, other.classes),
            both(self.buckets, other.buckets),
            self.ended + other.ended,
            self.duration_sum_ms + other.duration_sum_ms,
        )

    def durations(self) -> dict[int, int]:
        """As buckets of model/durations: a call counts in the middle of the exporter's bucket, which is wider."""
        found: dict[int, int] = {}
        below, low = 0, 0.0
        for bound in sorted(self.buckets):
            count = self.buckets[bound] - below
            middle = low if bound == float("inf") else (low + bound) / 2
            if count > 0:
                bucket = bucket_of(middle)
                found[bucket] = found.get(bucket, 0) + count
            below, low = self.buckets[bound], bound
        return found


def parse(text: str, routes: Mapping[str, object]) -> dict[Key, Counted]:
    """``routes``: ids of those that are functions'. Raises: Blind."""
    found: dict[Key, Counted] = {}
    for line in text.splitlines():
        if not line.startswith((STATUS + "{", LATENCY + "_")):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            continue
        labels = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _LABEL.findall(match[2])}
        route = labels.get("route", "")
        if route in routes and labels.get("response_source") != "apisix":
            _take(match[1], labels, float(match[3]), found)
    return found


def _take(name: str, labels: Mapping[str, str], value: float, found: dict[Key, Counted]) -> None:
    consumer = _CONSUMER.fullmatch(labels.get("consumer", ""))
    if name == STATUS and consumer is None:
        raise Blind("APISIX's metrics do not say which revision had a call: is the label consumer disabled there?")
    if consumer is None or (name != STATUS and labels.get("type") != "request"):
        return  # a call that APISIX answered itself
    counted = found.setdefault((labels["route"], int(consumer[1]), consumer[2] is not None), Counted())
    if name == STATUS:
        first = int(labels["code"][0])
        counted.classes[first] = counted.classes.get(first, 0) + int(value)
    elif name == f"{LATENCY}_bucket":
        bound = float(labels["le"])
        counted.buckets[bound] = counted.buckets.get(bound, 0) + int(value)
    elif name == f"{LATENCY}_sum":
        counted.duration_sum_ms += value
    elif name == f"{LATENCY}_count":
        counted.ended += int(value)
