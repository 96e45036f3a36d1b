"""Which memory and CPU an instance should be allowed, from what it used lately. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from faasioflex.model.function import Limits

MIB = 1024 * 1024
NEAR = 0.85  # of the memory limit, in each of the last NEAR_LOOKS looks: more
VERY_NEAR = 0.95  # in one look: more at once
NEAR_LOOKS = 3
BUSY = 0.9  # of the CPU quota, on average of the last BUSY_LOOKS intervals: it is held back (a quota is of 0.1 s, so each varies)
BUSY_LOOKS = 3
STEP = 1.5  # times the limit is raised; and what is left above the most that was used when it is lowered
UNUSED_S = 300.0  # so long much less was used: less
WORTH = 0.8  # of the limit: it is lowered only to that or less


@dataclass(frozen=True)
class Look:
    """What an instance used at a moment: bytes now, CPU seconds so far."""

    at: float
    memory_bytes: int
    cpu_s: float


@dataclass(frozen=True)
class Allowed:
    """What an instance may use."""

    memory_bytes: int
    cpu: float


@dataclass(frozen=True)
class Advice:
    """``why``: in words, for the function's log."""

    allowed: Allowed
    why: str


def grows(limits: Limits) -> bool:
    """Whether its instances may have more than they start with."""
    most_memory, most_cpu = most(limits)
    return most_memory > limits.memory_bytes or most_cpu > limits.cpu


def most(limits: Limits) -> tuple[int, float]:
    """Bytes and cores that one instance may come to."""
    return limits.most_memory_bytes, max(limits.cpu, limits.max_cpu or 0.0)


def advise(looks: Sequence[Look], now: Allowed, limits: Limits) -> Advice | None:
    """None where its limits are right. ``looks``: oldest first, since its limits were changed or longer.

    Properties (tests/unit/manager/test_advise): never outside ``limits`` and their max, never below what it uses now; the same
    use for ever comes to rest.
    """
    if not looks:
        return None
    memory, memory_why = _memory(looks, now.memory_bytes, limits)
    cpu, cpu_why = _cpu(looks, now.cpu, limits)
    made = Allowed(memory, cpu)
    return Advice(made, "; ".join(why for why in (memory_why, cpu_why) if why)) if made != now else None


def _memory(looks: Sequence[Look], limit: int, limits: Limits) -> tuple[int, str]:
    least, highest = limits.memory_bytes, most(limits)[0]
    used = looks[-1].memory_bytes
    last = looks[-NEAR_LOOKS:]
    near = len(last) == NEAR_LOOKS and all(look.memory_bytes >= NEAR * limit for look in last)
    if limit < highest and (near or used >= VERY_NEAR * limit):
        more = min(highest, _whole_mib(max(limit, used) * STEP))
        return more, f"memory limit raised from {_mib(limit)} to {_mib(more)}: it uses {_mib(used)}"
    peak = max(look.memory_bytes for look in looks)
    wanted = max(least, _whole_mib(peak * STEP))
    if _long(looks) and wanted <= WORTH * limit:
        return (
            wanted,
            f"memory limit lowered from {_mib(limit)} to {_mib(wanted)}: at most {_mib(peak)} was used lately",
        )
    return limit, ""


def _cpu(looks: Sequence[Look], limit: float, limits: Limits) -> tuple[float, str]:
    least, highest = limits.cpu, most(limits)[1]
    last = looks[-BUSY_LOOKS - 1 :]
    if limit < highest and len(last) > BUSY_LOOKS and _rate(last[0], last[-1]) >= BUSY * limit:
        more = min(highest, round(limit * STEP, 3))
        return more, f"CPU limit raised from {limit:g} to {more:g}: it uses all of it"
    peak = max((_rate(before, after) for before, after in pairwise(looks)), default=0.0)
    wanted = max(least, math.ceil(peak * STEP * 100) / 100)
    if _long(looks) and wanted <= WORTH * limit:
        return wanted, f"CPU limit lowered from {limit:g} to {wanted:g}: at most {peak:.2f} was used lately"
    return limit, ""


def _rate(before: Look, after: Look) -> float:
    """Cores."""
    return (after.cpu_s - before.cpu_s) / (after.at - before.at) if after.at > before.at else 0.0


def after_out_of_memory(limit: int, limits: Limits) -> int | None:
    """The memory of the next start after one that ended at ``limit``; None where it may not have more."""
    highest = most(limits)[0]
    return min(highest, limit * 2) if limit < highest else None


def _long(looks: Sequence[Look]) -> bool:
    return looks[-1].at - looks[0].at >= UNUSED_S


def _whole_mib(size_bytes: float) -> int:
    return math.ceil(size_bytes / MIB) * MIB


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / MIB:.0f} MiB"
