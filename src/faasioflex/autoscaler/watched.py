"""What the autoscaler remembers of one revision that has instances or calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from faasioflex.autoscaler.decide import PANIC_S, STABLE_S, Samples
from faasioflex.autoscaler.windows import Window
from faasioflex.model.messages import RevisionLoad


@dataclass
class Watched:
    """``at_once``: the newest figure of each member. ``active_at``: when a call was last seen, or when it was first looked at."""

    active_at: float
    at_once: dict[str, int] = field(default_factory=dict)
    stable: Window = field(default_factory=lambda: Window(STABLE_S))
    panic: Window = field(default_factory=lambda: Window(PANIC_S))
    panicking_until: float | None = None

    def report(self, member: str, load: RevisionLoad, now: float) -> bool:
        """Take one figure in; whether calls wait for an instance."""
        self.at_once[member] = load.in_progress + load.waiting
        if load.in_progress or load.waiting or load.issued:
            self.active_at = now
        return load.waiting > 0

    def silent(self, member: str) -> None:
        """The member reported and did not name this revision: it has no calls of it."""
        self.at_once.pop(member, None)

    def sample(self, now: float) -> None:
        total = float(sum(self.at_once.values()))
        self.stable.add(now, total)
        self.panic.add(now, total)

    def forget(self, active_at: float) -> None:
        """Somebody said how many there should be: what was seen before counts no more."""
        self.active_at = active_at
        self.stable, self.panic, self.panicking_until = Window(STABLE_S), Window(PANIC_S), None

    def samples(self, now: float, instances: int, *, blind: bool) -> Samples:
        busy = any(self.at_once.values())
        return Samples(
            stable=self.stable.average(now),
            panic=self.panic.average(now),
            instances=instances,
            idle_s=None if busy else now - self.active_at,
            blind=blind,
            panicking_until=self.panicking_until,
        )
