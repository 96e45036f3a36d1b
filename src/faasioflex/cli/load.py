"""The load of functions as lines of a table, and the orders in which they can stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from faasioflex.cli.units import size_text

if TYPE_CHECKING:
    from faasioflex.client import Alert, FunctionMetrics

COLUMNS = (
    "name", "state", "instances", "calls/s", "p50 ms", "p95 ms", "errors", "cpu", "cpu limit", "memory", "memory limit",
    "in progress", "waiting", "queued", "cold starts",
)  # fmt: skip
OTHER_STATES = {"starting": "s", "frozen": "f", "draining": "d"}


class Order(StrEnum):
    """By which figure; the highest comes first, names by the alphabet."""

    calls = "calls"
    name = "name"
    instances = "instances"
    p95 = "p95"
    errors = "errors"
    cpu = "cpu"
    memory = "memory"
    progress = "progress"
    waiting = "waiting"
    queued = "queued"
    starts = "starts"


KEYS = {
    "c": Order.calls, "n": Order.name, "i": Order.instances, "p": Order.p95, "e": Order.errors, "u": Order.cpu,
    "m": Order.memory, "g": Order.progress, "w": Order.waiting, "d": Order.queued, "s": Order.starts,
}  # fmt: skip


def _queued(one: FunctionMetrics) -> float | None:
    return None if one.queued is None else one.queued + (one.delayed or 0)


_FIGURES: dict[Order, Callable[[FunctionMetrics], float | None]] = {
    Order.calls: lambda one: one.calls_per_s,
    Order.name: lambda one: 0.0,
    Order.instances: lambda one: one.instances,
    Order.p95: lambda one: one.latency_ms.p95 if one.latency_ms else None,
    Order.errors: lambda one: one.error_rate,
    Order.cpu: lambda one: one.cpu,
    Order.memory: lambda one: one.memory_bytes,
    Order.progress: lambda one: one.in_progress,
    Order.waiting: lambda one: one.waiting,
    Order.queued: _queued,
    Order.starts: lambda one: one.cold_starts,
}


def ordered(found: Iterable[FunctionMetrics], order: Order) -> list[FunctionMetrics]:
    """What is not known comes last, what is equal by name."""
    figure = _FIGURES[order]
    return sorted(found, key=lambda one: (-(figure(one) or 0.0), full_name(one)))


def full_name(one: FunctionMetrics) -> str:
    return f"{one.namespace}/{one.name}"


def line(one: FunctionMetrics) -> tuple[Any, ...]:
    """The cells of :data:`COLUMNS`."""
    latency = one.latency_ms
    return (
        full_name(one),
        one.state,
        instances(one),
        number(one.calls_per_s),
        number(latency.p50 if latency else None),
        number(latency.p95 if latency else None),
        "-" if one.error_rate is None else f"{one.error_rate:.1%}",
        "-" if one.cpu is None else f"{one.cpu:.3f}",
        number(one.cpu_limit or None),
        "-" if one.memory_bytes is None else size_text(one.memory_bytes),
        size_text(one.memory_limit_bytes) if one.memory_limit_bytes else "-",
        number(one.in_progress),
        number(one.waiting),
        number(_queued(one)),
        number(one.cold_starts),
    )


def instances(one: FunctionMetrics) -> str:
    """``2`` ready ones, ``2+1s`` with one that starts; f is frozen, d draining."""
    others = "".join(
        f"+{count}{letter}" for state, letter in OTHER_STATES.items() if (count := one.instances_by_state.get(state))
    )
    serving = (one.instances or 0) - (one.instances_by_state.get("frozen") or 0)  # the resource counts them as ready
    return f"{max(serving, 0)}{others}"


def alert_text(alert: Alert) -> str:
    """``error-rate acme/hello: 12.0 % of the calls …``."""
    return f"{alert.kind} {alert.function or 'platform'}: {alert.message}"


def number(value: float | None) -> str:
    """Three digits, or all before the point."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
