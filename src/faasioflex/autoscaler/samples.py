"""What :func:`decide` looks at, and what it answers. All pure values; times in seconds since the epoch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from faasioflex.model.function import Limits, Scaling

_SCALING, _LIMITS = Scaling(), Limits()


@dataclass(frozen=True)
class Means:
    """Of one figure: over the stable window, and over the panic window."""

    stable: float = 0.0
    panic: float = 0.0


@dataclass(frozen=True)
class Trial:
    """Instances that were added because a figure was too high, where nobody knows whether more instances lower it.

    ``value``: the figure before, with ``instances`` there; ``to`` were asked for. ``well_at``: when they were all there and the
    figure was known. ``given_up_at``: it did not help.
    """

    instances: int
    to: int
    value: float
    at: float
    well_at: float
    given_up_at: float | None = None


@dataclass(frozen=True)
class Memory:
    """What one decision hands to the next.

    ``panic_instances``: the most that this panic asked for. ``pressed`` were asked for by calls that waited, and stay until
    ``pressed_until``; ``held`` likewise, while little is known. ``needs``: of the cooldown's window, when so many were needed,
    falling from the first to the last.
    """

    panicking_until: float | None = None
    panic_instances: int = 0
    pressed: int = 0
    pressed_until: float = 0.0
    held: int = 0
    held_until: float = 0.0
    needs: tuple[tuple[float, int], ...] = ()
    latency: Trial | None = None
    memory: Trial | None = None

    def empty(self, now: float) -> bool:
        """Nothing of it makes a later decision another one than this."""
        trials = self.latency is None and self.memory is None
        return (
            trials and self.panicking_until is None and not self.pressed and not self.needs and self.held_until <= now
        )


@dataclass(frozen=True)
class Samples:
    """Of one revision.

    ``at_once``: calls in progress and waiting, each once. ``rate``: calls that began per second. ``waiting`` and ``crowd``: calls
    that wait, and calls at once, in the newest report of waiting calls; ``pressed``: the fewer of the last two such reports, if
    they followed each other; else 0. ``queued``: asynchronous calls that may run. ``p95_ms``: of the calls since the instances
    changed; None where there are too few. ``cpu_used``: in instances that use all of their limit, ``memory_share``: of the
    instances' limits together; None while not known. ``instances``: ready ones. ``desired``: what was decided before, None
    where nothing was. ``idle_s``: since the last call was seen to run; None while one runs. ``blind``: somebody who must tell
    of calls does not. ``usage_lost``: nobody tells of CPU and memory any more.
    """

    at_once: Means = Means()
    rate: Means = Means()
    waiting: int = 0
    crowd: int = 0
    pressed: int = 0
    queued: int = 0
    p95_ms: float | None = None
    cpu_used: Means | None = None
    memory_share: float | None = None
    instances: int = 0
    desired: int | None = None
    idle_s: float | None = None
    blind: bool = False
    usage_lost: bool = False
    memory: Memory = Memory()

    @property
    def quiet(self) -> bool:
        """Nobody called within the stable window, and everybody tells."""
        called = self.at_once.stable or self.rate.stable or self.queued or self.idle_s is None
        return not (called or self.blind or self.usage_lost)

    @property
    def there(self) -> int:
        """Ready or on their way."""
        return max(self.instances, self.desired or 0)


@dataclass(frozen=True)
class Policy:
    """``serves``: it has a share of the traffic; only then minimums count. ``scheduled``: the minimum of this hour."""

    scaling: Scaling = _SCALING
    limits: Limits = _LIMITS
    serves: bool = True
    scheduled: int = 0

    @property
    def most(self) -> int:
        return max(1, self.scaling.max_instances)

    @property
    def least(self) -> int:
        return min(max(self.scaling.min_instances, self.scheduled), self.most) if self.serves else 0


@dataclass(frozen=True)
class Proposal:
    """So many instances, because ``signal`` measured ``value`` against ``threshold`` (both in ``unit``)."""

    instances: int
    signal: str
    value: float | None
    threshold: float | None
    unit: str
    reason: str  # the same in words


@dataclass(frozen=True)
class Decision:
    """``idle``: nobody has called for ``idle_s``; what there is is the minimum. ``stays``: until somebody calls or is idle."""

    instances: int
    why: Proposal
    memory: Memory
    idle: bool = False
    stays: bool = False


def ceil(value: float) -> int:
    """Up, but not for what is left of sums of fractions."""
    return math.ceil(value - 1e-9)
