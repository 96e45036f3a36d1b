"""What the autoscaler remembers of one revision that has instances or calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from faasioflex.autoscaler.samples import Means, Memory, Samples
from faasioflex.autoscaler.windows import Counter, Durations, Window
from faasioflex.model.durations import percentile
from faasioflex.model.function import Limits, Scaling
from faasioflex.model.messages import RevisionLoad, RevisionUsage

USAGE_SHORT_S = 12.0  # two reports at least
USAGE_FRESH_S = 15.0
USAGE_SETTLED_S = 8.0  # after a change of the instances, before their memory says anything
FEWEST_CALLS = 20  # that make a 95th percentile


@dataclass(frozen=True)
class Asked:
    """So many ``instances`` were asked for while those of ``live`` ran; until they are gone, or ``until``, nothing else counts."""

    instances: int
    live: frozenset[str]
    until: float


@dataclass
class Watched:
    """``active_at``: when a call was last seen, or when it was first looked at. ``since``: seen without a gap since then."""

    active_at: float
    since: float | None = None
    memory: Memory = field(default_factory=Memory)
    at_once: dict[str, int] = field(default_factory=dict)  # newest figure of each member
    queued: dict[str, int] = field(default_factory=dict)
    pressed: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # of its waiting calls, see Samples
    calls: Window = field(default_factory=Window)
    begun: Counter = field(default_factory=Counter)
    durations: Durations = field(default_factory=Durations)
    cpu: Window = field(default_factory=Window)
    memory_share: float | None = None
    usage_at: float = 0.0
    usage_of: int = 0  # instances
    instances: int = -1
    changed_at: float = 0.0
    asked: Asked | None = None

    def report(self, member: str, load: RevisionLoad, now: float, scaling: Scaling) -> bool:
        """Take one figure in; whether calls wait for an instance, or queue while there is none."""
        at_once = load.in_progress + load.waiting
        self.at_once[member] = at_once
        if load.queued or member in self.queued:
            self.queued[member] = load.queued
        if scaling.metric == "rate":
            self.begun.add(now, load.issued, scaling.stable_window_s)
        if at_once or load.issued or load.queued:
            self.active_at = now
        if load.waiting:
            before = self.pressed.get(member, (0, 0, 0))[1]
            self.pressed[member] = before, sum(self.at_once.values()), load.waiting
        else:
            self.pressed.pop(member, None)
        return load.waiting > 0 or (load.queued > 0 and self.instances <= 0)

    @property
    def only_runs(self) -> bool:
        """Calls run, and nothing waits or is queued."""
        return any(self.at_once.values()) and not self.pressed and not any(self.queued.values())

    def silent(self, member: str) -> None:
        """The member reported and did not name this revision: it has no calls of it."""
        for figures in (self.at_once, self.queued, self.pressed):
            figures.pop(member, None)

    def answered(self, counts: Mapping[int, int], now: float, kept_s: float) -> None:
        """How long calls took, in the buckets of ``model/durations``."""
        self.durations.add(now, dict(counts), kept_s)

    def used(self, usage: RevisionUsage, period_s: float, limits: Limits, now: float, kept_s: float) -> None:
        """A report in which instances are new says nothing of CPU: their start is in it."""
        grew, self.usage_of, self.usage_at = usage.instances > self.usage_of, usage.instances, now
        cores = usage.cpu_limit or limits.cpu * usage.instances
        memory_bytes = usage.memory_limit_bytes or limits.memory_bytes * usage.instances
        if period_s > 0 and cores > 0 and not grew:
            self.cpu.add(now, usage.cpu_s / period_s / cores * usage.instances, kept_s)
        settled = usage.instances == self.instances and now - self.changed_at >= USAGE_SETTLED_S
        self.memory_share = usage.memory_bytes / memory_bytes if settled and memory_bytes else None

    def sample(self, now: float, kept_s: float) -> None:
        self.calls.add(now, float(sum(self.at_once.values())), kept_s)

    def begin(self, since: float, held: int, until: float) -> None:
        """Seen since then; ``held`` instances stay ``until`` there is more to go by."""
        self.since = since
        self.active_at = max(self.active_at, since)
        self.memory = replace(self.memory, held=max(held, self.memory.held), held_until=until)

    def forget(self, active_at: float) -> None:
        """Somebody said how many there should be: what was seen before counts no more."""
        self.active_at = active_at
        self.memory, self.calls, self.begun = Memory(), Window(), Counter()
        self.pressed.clear()

    def samples(
        self, now: float, scaling: Scaling, instances: int, desired: int | None, *, blind: bool, usage_lost: bool
    ) -> Samples:
        if instances != self.instances:
            self.instances, self.changed_at, self.memory_share = instances, now, None
            self.durations.restart(now)
        stable_s = scaling.stable_window_s
        panic_s = max(stable_s * scaling.panic_window_percent / 100, 1.0)
        rate = Means()
        if scaling.metric == "rate":
            rate = Means(self.begun.per_s(now, stable_s), self.begun.per_s(now, panic_s))
        busy = any(self.at_once.values())
        before, crowd, waiting = max(self.pressed.values(), key=lambda found: found[1], default=(0, 0, 0))
        fresh = now - self.usage_at <= USAGE_FRESH_S
        short_s = min(USAGE_SHORT_S, stable_s)
        return Samples(
            at_once=Means(self.calls.mean(now, stable_s), self.calls.mean(now, panic_s)),
            rate=rate,
            waiting=waiting,
            crowd=crowd,
            pressed=min(before, crowd),
            queued=sum(self.queued.values()),
            p95_ms=self._p95_ms(now, stable_s) if scaling.latency_p95_ms is not None else None,
            cpu_used=Means(self.cpu.mean(now, stable_s), self.cpu.mean(now, short_s)) if fresh and instances else None,
            memory_share=self.memory_share if fresh else None,
            instances=instances,
            desired=desired,
            idle_s=None if busy else now - self.active_at,
            blind=blind,
            usage_lost=usage_lost,
            memory=self.memory,
        )

    def _p95_ms(self, now: float, kept_s: float) -> float | None:
        counts = self.durations.counts(now, kept_s)
        return percentile(counts, 0.95) if sum(counts.values()) >= FEWEST_CALLS else None
