"""A function in words."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from faasioflex.cli.output import facts, rows
from faasioflex.cli.units import size_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faasioflex.client import Client, Function
    from faasioflex.client.models import Scale

COLUMNS = ("name", "runtime", "state", "revision", "instances", "traffic", "url")


def address(client: Client, function: Function) -> str:
    """The URL at which the function is called directly."""
    path = function.status.url or f"/f/{function.function}"
    return client.target.url.rstrip("/") + path if path.startswith("/") else path


def split_text(shares: dict[int, int]) -> str:
    """``3=90 4=10``."""
    return " ".join(f"{number}={percent}" for number, percent in sorted(shares.items())) or "-"


def scale_text(scale: Scale | None) -> str | None:
    """``from 1 to 5 at 2030-01-31 12:00:00 by concurrency: 30.0 calls at once over 6 s, 7 per instance``."""
    if scale is None:
        return None
    when = f" at {scale.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}" if scale.at else ""
    return f"from {scale.before} to {scale.to}{when} by {scale.signal}: {scale.reason}"


def function_rows(client: Client, functions: Sequence[Function]) -> None:
    lines = [
        (
            function.function,
            function.runtime,
            function.status.state,
            function.status.revision,
            function.status.ready_instances,
            split_text(function.status.traffic),
            address(client, function),
        )
        for function in functions
    ]
    rows(COLUMNS, lines, empty="No functions yet: 'ffx new hello --runtime python' makes one.")


def function_facts(client: Client, function: Function) -> None:
    status, limits, scaling, source = function.status, function.limits, function.scaling, function.source
    latest = status.latest
    newer = latest is not None and latest.revision != status.revision
    code = source and (source.image or f"sha256:{(source.sha256 or '')[:12]} ({size_text(source.size_bytes or 0)})")
    facts(
        [
            ("name", function.function),
            ("state", status.state),
            ("message", status.message),
            ("url", address(client, function)),
            ("runtime", function.runtime),
            ("handler", function.handler),
            ("source", code),
            ("revision", status.revision),
            ("latest", f"{latest.revision} {latest.state}" if latest and newer else None),
            ("latest says", latest.message if latest and newer else None),
            ("traffic", split_text(status.traffic)),
            ("instances", f"{status.ready_instances} ready, {scaling.min_instances} to {scaling.max_instances}"),
            ("scaled", scale_text(status.scale)),
            ("env", ", ".join(function.env)),
            ("memory", size_text(limits.memory_bytes)),
            ("timeout", f"{limits.timeout_s:g} s"),
            ("concurrency", limits.concurrency),
            ("labels", function.labels),
            ("description", function.description),
            ("created", status.created_at),
            ("updated", status.updated_at),
            ("build", None if status.build_s is None else f"{status.build_s:.1f} s"),
        ]
    )
