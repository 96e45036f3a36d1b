"""Create what ``bus/buckets`` plans, or bring it to the plan. Safe to call by several processes and on every start."""

from __future__ import annotations

from typing import Any

import structlog

from faasioflex.bus.buckets import BUCKETS, CALLS, OBJECT_STORES, STREAMS, BucketPlan, StreamPlan
from faasioflex.bus.nats.bus import NatsBus
from faasioflex.bus.nats.feed import SECOND_NS
from faasioflex.bus.nats.jetstream import STREAM_NOT_FOUND, ApiError
from faasioflex.bus.nats.values import stream_of
from faasioflex.model.errors import FfxError

log = structlog.get_logger(__name__)
KV_DUPLICATES_S = 120.0  # a write whose acknowledgement was lost is repeated within the bus's timeout of 5 s


async def ensure(bus: NatsBus, *, calls: StreamPlan = CALLS) -> None:
    """``calls``: the plan of ``FFX_CALLS`` with the bounds of the settings.

    Raises Unavailable, or FfxError where the server refuses a stream.
    """
    streams = [calls if plan.name == calls.name else plan for plan in STREAMS]
    planned = [*map(_bucket, BUCKETS), *map(_objects, OBJECT_STORES), *map(_stream, streams)]
    for config in planned:
        await _ensure(bus, config)
    for name in OBJECT_STORES:
        removed = await bus.objects(name).collect()
        if removed:
            log.info("unfinished objects were removed", store=name, count=removed)


async def _ensure(bus: NatsBus, config: dict[str, Any]) -> None:
    name = config["name"]
    try:
        try:
            held = (await bus.jetstream.api(f"STREAM.INFO.{name}"))["config"]
        except ApiError as error:
            if error.number != STREAM_NOT_FOUND:
                raise
            await bus.jetstream.api(f"STREAM.CREATE.{name}", config)
            return
        if any(held.get(field) != value for field, value in config.items()):
            await bus.jetstream.api(f"STREAM.UPDATE.{name}", {**held, **config})
    except ApiError as error:
        raise FfxError(f"NATS refuses the stream {name}: {error}") from error


def _bucket(plan: BucketPlan) -> dict[str, Any]:
    return {
        **_kept(plan.ttl_s, plan.max_bytes, plan.history, KV_DUPLICATES_S),
        "name": stream_of(plan.name),
        "subjects": [f"$KV.{plan.name}.>"],
        "discard": "old" if plan.drops_oldest else "new",  # a full bucket refuses writes, and never drops a record
        "deny_delete": True,
        "allow_rollup_hdrs": True,
        "allow_msg_ttl": True,  # of deletion markers
        "allow_direct": False,  # every read is the leader's
    }


def _objects(name: str) -> dict[str, Any]:
    return {
        **_kept(None, None, None, KV_DUPLICATES_S),
        "name": f"OBJ_{name}",
        "subjects": [f"$O.{name}.C.>", f"$O.{name}.M.>"],
        "discard": "new",
        "allow_rollup_hdrs": True,
        "allow_direct": False,
    }


def _stream(plan: StreamPlan) -> dict[str, Any]:
    return {
        **_kept(plan.max_age_s, plan.max_bytes, plan.max_per_subject, plan.duplicates_s),
        "name": plan.name,
        "subjects": list(plan.subjects),
        "discard": "new" if plan.refuses else "old",
        "max_msgs": -1 if plan.max_messages is None else plan.max_messages,
        "allow_direct": True,
    }


def _kept(age_s: float | None, size: int | None, per_subject: int | None, duplicates_s: float) -> dict[str, Any]:
    return {
        "retention": "limits",
        "storage": "file",
        "num_replicas": 1,
        "max_age": int((age_s or 0) * SECOND_NS),
        "max_bytes": -1 if size is None else size,
        "max_msgs_per_subject": -1 if per_subject is None else per_subject,
        "duplicate_window": int(duplicates_s * SECOND_NS),
    }
