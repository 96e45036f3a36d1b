"""What the page says of asynchronous calls."""

from __future__ import annotations

from typing import Any

from bench.figures import Json

PER_S, OF_BARE, DEEP = 2000, 0.6, 0.9


def goals(found: dict[str, Any]) -> list[Json]:
    """As ``report.goals``."""
    accept, deliver, ratio = (found[name]["median"] for name in ("accept_per_s", "deliver_per_s", "publish_ratio"))
    deep = round(found["deep_deliver_per_s"]["median"] / deliver, 2)
    return [
        _goal("asynchronous calls stored over HTTP", f">= {PER_S}/s", f"{accept:.0f}/s", accept >= PER_S),
        _goal("asynchronous calls run, echo", f">= {PER_S}/s", f"{deliver:.0f}/s", deliver >= PER_S),
        _goal("stored over NATS : bare acknowledged publish", f">= {OF_BARE}", f"{ratio}", ratio >= OF_BARE),
        _goal(f"run with {found['depth']:,} waiting : with none", f">= {DEEP}", f"{deep}", deep >= DEEP),
    ]


def section(found: dict[str, Any]) -> str:
    """Rounds of ``calls``, each stored to wait, then all let go at once."""
    rows = [
        ("stored over HTTP, calls/s", found["accept_per_s"], found["deep_accept_per_s"]),
        ("… CPU of the invoker for each, us", found["accept_cpu_us"], None),
        ("run and ended (echo), calls/s", found["deliver_per_s"], found["deep_deliver_per_s"]),
        ("… CPU of the invoker for each, us", found["deliver_cpu_us"], found["deep_deliver_cpu_us"]),
        ("stored over NATS, calls/s", found["publish_per_s"], None),
        ("… CPU of the invoker for each, us", found["publish_cpu_us"], None),
        ("bare acknowledged JetStream publishes/s", found["bare_publish_per_s"], None),
    ]
    lines = [f"| {found['calls']:,} calls | empty queue | {found['depth']:,} waiting |", "|---|---|---|"]
    lines += [f"| {what} | {_spread(empty)} | {_spread(deep)} |" for what, empty, deep in rows]
    return "### Asynchronous calls\n\n" + "\n".join(lines)


def _spread(figures: dict[str, Any] | None) -> str:
    return "" if figures is None else f"{figures['median']:.0f} ({figures['min']:.0f} to {figures['max']:.0f})"


def _goal(name: str, goal: str, measured: str, met: bool) -> Json:
    return {"name": name, "goal": goal, "measured": measured, "met": met}
