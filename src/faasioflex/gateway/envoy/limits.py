"""How often functions are called: three local rate limits, each of which says in its answer whose bound it is.

The token buckets stand in filters of files of their own (as identity's do), not in routes: those come anew with each change of
any function, and with them every bucket would be full again. A route only says which buckets a call counts in. They come after
admission, so that nobody learns from a 429 of a function that they may not see.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from faasioflex.gateway.envoy import discovered
from faasioflex.gateway.envoy.identity import PID_HEADER
from faasioflex.gateway.envoy.proto import TYPE, Json, overwrite, typed
from faasioflex.gateway.envoy.settings import EnvoySettings
from faasioflex.gateway.port import TableFunction

LIMITED_HEADER = "x-ffx-limited"  # in a 429 until its body is made: whose bound it is
MINUTE_S = 60
MOST_CALLERS = 10_000  # per bound; the one that was not seen for longest is forgotten
_TYPE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_NOTHING = (
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"  # in the place of a limit that bounds nothing
)
_PLENTY = {"max_tokens": 4_000_000_000, "tokens_per_fill": 4_000_000_000, "fill_interval": f"{MINUTE_S}s"}


@dataclass(frozen=True)
class Kind:
    """``stage`` tells the filters' buckets apart in a route."""

    name: str
    stage: int
    said: str

    @property
    def filter(self) -> str:
        return f"ffx.limit.{self.name}"

    @property
    def file(self) -> str:
        return f"limit-{self.name}.json"


CALLER = Kind("caller", 0, "one caller (rate_limit.per_caller_per_minute)")
FUNCTION = Kind("function", 1, "this function (rate_limit.calls_per_minute)")
NAMESPACE = Kind("namespace", 2, "its namespace (the quota calls_per_minute)")
KINDS = (CALLER, FUNCTION, NAMESPACE)  # who is over their own bound takes nothing of the others'


def filters(settings: EnvoySettings) -> list[Json]:
    return [discovered.named(kind.filter, settings.folder / kind.file, TYPE + _TYPE, TYPE + _NOTHING) for kind in KINDS]


def write(folder: Path, functions: Iterable[TableFunction]) -> None:
    """The bounds, from now on. A file that changes fills the buckets in it."""
    functions = list(functions)
    for kind in KINDS:
        discovered.write(folder / kind.file, kind.filter, _filter(kind, functions))


def write_missing(folder: Path) -> None:
    """Before Envoy starts: files must be there."""
    for kind in KINDS:
        if not (folder / kind.file).exists():
            discovered.write(folder / kind.file, kind.filter, _filter(kind, []))


def on_route(function: TableFunction) -> Json:
    """Parts of a route: the buckets that a call counts in, and when to come again."""
    limits: list[Json] = []
    again: dict[str, str] = {}
    whole = _key("function", str(function.function))
    bounds = function.rate_limit
    if bounds is not None and bounds.per_caller_per_minute is not None:
        known = {"request_headers": {"header_name": PID_HEADER, "descriptor_key": "caller"}}
        nobody = {
            "header_value_match": {
                "descriptor_key": "nobody",
                "descriptor_value": "1",
                "expect_match": False,
                "headers": [{"name": PID_HEADER, "present_match": True}],
            }
        }
        limits.append({"stage": CALLER.stage, "actions": [whole, known]})
        limits.append({"stage": CALLER.stage, "actions": [whole, nobody, {"remote_address": {}}]})
        again[CALLER.name] = _again(bounds.per_caller_per_minute)
    if bounds is not None and bounds.calls_per_minute is not None:
        limits.append({"stage": FUNCTION.stage, "actions": [whole]})
        again[FUNCTION.name] = _again(bounds.calls_per_minute)
    if function.namespace_per_minute is not None:
        limits.append({"stage": NAMESPACE.stage, "actions": [_key("namespace", function.function.namespace)]})
        again[NAMESPACE.name] = _again(function.namespace_per_minute)
    if not limits:
        return {}
    return {"route": {"rate_limits": limits}, "metadata": {"filter_metadata": {"ffx": again}}}


def _filter(kind: Kind, functions: list[TableFunction]) -> Json:
    descriptors: dict[str, Json] = {}
    for function in functions:
        for key, entries, bucket in _buckets(kind, function):
            descriptors[key] = {"entries": entries, "token_bucket": bucket}
    if not descriptors:
        return typed(_NOTHING)
    always = {"default_value": {"numerator": 100}, "runtime_key": f"ffx.no_such_key.{kind.name}"}
    return typed(
        _TYPE,
        stat_prefix=f"ffx_{kind.name}",
        stage=kind.stage,
        token_bucket=_PLENTY,
        always_consume_default_token_bucket=False,
        filter_enabled=always,
        filter_enforced=always,
        max_dynamic_descriptors=MOST_CALLERS,
        response_headers_to_add=[
            overwrite(LIMITED_HEADER, kind.said),
            overwrite("retry-after", f"%METADATA(ROUTE:ffx:{kind.name})%"),
        ],
        descriptors=[descriptors[key] for key in sorted(descriptors)],
    )


def _buckets(kind: Kind, function: TableFunction) -> Iterable[tuple[str, list[Json], Json]]:
    bounds, name = function.rate_limit, str(function.function)
    whole = {"key": "function", "value": name}
    if kind is NAMESPACE and function.namespace_per_minute is not None:
        space = function.function.namespace
        yield space, [{"key": "namespace", "value": space}], _bucket(function.namespace_per_minute, None)
    if bounds is None:
        return
    if kind is FUNCTION and bounds.calls_per_minute is not None:
        yield name, [whole], _bucket(bounds.calls_per_minute, bounds.burst)
    if kind is CALLER and bounds.per_caller_per_minute is not None:
        bucket = _bucket(bounds.per_caller_per_minute, bounds.burst)
        yield name, [whole, {"key": "caller"}], bucket
        nobody = {"key": "nobody", "value": "1"}
        yield f"{name} nobody", [whole, nobody, {"key": "remote_address"}], bucket


def _bucket(per_minute: int, burst: int | None) -> Json:
    return {
        "max_tokens": burst or per_minute,
        "tokens_per_fill": per_minute,
        "fill_interval": f"{MINUTE_S}s",
    }


def _again(per_minute: int) -> str:
    return str(math.ceil(MINUTE_S / per_minute))


def _key(key: str, value: str) -> Json:
    return {"generic_key": {"descriptor_key": key, "descriptor_value": value}}
