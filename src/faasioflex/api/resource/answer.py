"""Answers: the function resource with its status, and revisions. Shapes: ``shapes``."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import Any

from faasioflex.api.resource.times import rfc3339
from faasioflex.bus.codec import plain
from faasioflex.manager.functions.read import Seen
from faasioflex.model.function import CodeSource, FunctionRecord, FunctionSpec, RevisionRecord, Source
from faasioflex.model.status import DesiredScale, FunctionStatus, RevisionStatus, serving, traffic

_UNKNOWN = RevisionStatus("building")


def spec_document(spec: FunctionSpec) -> dict[str, Any]:
    """What users set, as they would write it."""
    return {("async" if field == "asynchronous" else field): value for field, value in plain(spec).items()}


def source_document(source: Source) -> dict[str, Any]:
    if isinstance(source, CodeSource):
        return {"sha256": source.sha256, "size_bytes": source.size_bytes}
    return {"image": source.image, "digest": source.digest}


def etag(record: FunctionRecord) -> str:
    """Over what users set, not over ``status``: the same for the same content of the same registration."""
    content = {"uid": record.uid, "spec": asdict(record.spec), "source": source_document(record.source)}
    return '"' + hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32] + '"'


def function_document(seen: Seen, functions_url: str = "") -> dict[str, Any]:
    """The resource. ``functions_url``: where functions have a host of their own, its URL."""
    return {
        **spec_document(seen.record.spec),
        "source": source_document(seen.record.source),
        "status": status_document(seen.record, seen.status, functions_url, seen.scale),
    }


def state_of(record: FunctionRecord, status: FunctionStatus | None) -> str:
    """In one word: of what serves, else of the newest revision."""
    known = status.revisions if status is not None else {}
    main = serving(record, status)
    shown = known.get(record.latest if main is None else main, _UNKNOWN)
    return "deleting" if record.deleting else shown.state


def status_document(
    record: FunctionRecord,
    status: FunctionStatus | None,
    functions_url: str = "",
    scale: DesiredScale | None = None,
) -> dict[str, Any]:
    """The platform's part: of what serves, and of the newest revision."""
    known = status.revisions if status is not None else {}
    latest = known.get(record.latest, _UNKNOWN)
    main = serving(record, status)
    shown = known.get(main, _UNKNOWN) if main is not None else latest
    ready = [number for number, one in known.items() if one.first_ready_at is not None]
    return {
        "state": state_of(record, status),
        "revision": max(ready, default=None),
        "latest": {"revision": record.latest, "state": latest.state, "message": latest.message},
        "traffic": {str(number): share for number, share in sorted(traffic(record, status).items())},
        "ready_instances": sum(one.ready_instances for one in known.values()),
        "url": f"{functions_url}/f/{record.function}",
        "message": _message(record, main, shown, latest),
        "created_at": rfc3339(record.created_at),
        "updated_at": rfc3339(record.updated_at),
        "build_s": latest.build_s,
        "scale": scale_document(scale),
    }


def scale_document(scale: DesiredScale | None) -> dict[str, Any] | None:
    """Why there are as many instances as there are: the newest decision that changed something."""
    newest = scale.newest if scale is not None else None
    if newest is None:
        return None
    revision, decision = newest
    return {
        "revision": revision,
        "from": decision.before,
        "to": decision.to,
        "signal": decision.signal,
        "value": decision.value,
        "threshold": decision.threshold,
        "unit": decision.unit,
        "reason": decision.reason,
        "at": rfc3339(decision.at),
    }


def _message(record: FunctionRecord, main: int | None, shown: RevisionStatus, latest: RevisionStatus) -> str | None:
    if shown.message is not None:
        return shown.message
    if latest.message is not None:
        return f"Revision {record.latest}: {latest.message}"
    if main is None and latest.first_ready_at is not None:
        return f"No revision has traffic: give some to {record.latest} with PUT …/traffic"
    return None


def revision_document(
    revision: RevisionRecord, record: FunctionRecord, status: FunctionStatus | None
) -> dict[str, Any]:
    """One revision: what it runs with, how it is, and its share of the calls."""
    known = status.revisions.get(revision.number, _UNKNOWN) if status is not None else _UNKNOWN
    return {
        "revision": revision.number,
        "state": known.state,
        "message": known.message,
        "created_at": rfc3339(revision.created_at),
        "created_by": revision.created_by,
        "source": source_document(revision.source),
        "traffic_percent": traffic(record, status).get(revision.number, 0),
        "ready_instances": known.ready_instances,
        "build_s": known.build_s,
        "rollout": revision.rollout,
        "runtime": revision.runtime,
        "handler": revision.handler,
        "env": dict(revision.env),
        "secrets": list(revision.secrets),
        "limits": asdict(revision.limits),
        "network": {"egress": list(revision.network.egress)},
    }
