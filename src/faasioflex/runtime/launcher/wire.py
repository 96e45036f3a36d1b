"""JSON between the launcher and its driver: one object per line, both directions of every conversion side by side.

Requests ``{"id", "op", …}`` are answered ``{"id", "ok"}`` or ``{"id", "error": {"code", "message"}}``; a job's output comes as
``{"id", "lines"}`` before its answer. After ``events``, batches ``{"events", "upto"}`` are pushed, each acknowledged with
``{"op": "ack", "upto"}`` before the next comes.
"""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faasioflex.model.errors import FfxError, Unavailable, tree
from faasioflex.model.function import Limits, Network
from faasioflex.model.instance import (
    BuiltCode,
    EgressDenied,
    Instance,
    InstanceEnded,
    InstanceReady,
    InstanceSpec,
    LogLine,
)
from faasioflex.model.names import FunctionName
from faasioflex.runtime.port import Bind, JobEnded, JobSpec

Json = dict[str, Any]
LONGEST_MESSAGE_BYTES = 64 * 1024 * 1024


def pack(message: Json) -> bytes:
    return json.dumps(message, separators=(",", ":"), default=str).encode() + b"\n"


def unpack(line: bytes) -> Json:
    """Raises: ValueError for anything but an object."""
    content = json.loads(line)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    return content


def of_spec(spec: InstanceSpec) -> Json:
    return {**dataclasses.asdict(spec), "files": of_files(spec.files)}


def of_files(files: Mapping[str, bytes]) -> Json:
    return {place: base64.b64encode(content).decode("ascii") for place, content in files.items()}


def to_files(content: Json) -> dict[str, bytes]:
    return {place: base64.b64decode(text, validate=True) for place, text in content.items()}


def to_spec(content: Json) -> InstanceSpec:
    code = content.pop("code")
    return InstanceSpec(
        function=FunctionName(**content.pop("function")),
        limits=Limits(**content.pop("limits")),
        network=Network(egress=tuple(content.pop("network")["egress"])),
        code=BuiltCode(Path(code["code"]), Path(code["deps"]) if code["deps"] is not None else None),
        files=to_files(content.pop("files", {})),
        **content,
    )


def of_job(job: JobSpec) -> Json:
    return dataclasses.asdict(job)


def to_job(content: Json) -> JobSpec:
    binds = tuple(Bind(Path(bind["source"]), bind["target"], bind["writable"]) for bind in content.pop("binds"))
    output = content.pop("output", None)
    egress = tuple(content.pop("egress", ()))
    return JobSpec(
        argv=tuple(content.pop("argv")),
        binds=binds,
        output=Path(output) if output is not None else None,
        egress=egress,
        **content,
    )


def of_job_ended(ended: JobEnded) -> Json:
    return dataclasses.asdict(ended)


def to_job_ended(content: Json) -> JobEnded:
    return JobEnded(**content)


def of_instance(instance: Instance) -> Json:
    return dataclasses.asdict(instance)


def to_instance(content: Json) -> Instance:
    return Instance(function=FunctionName(**content.pop("function")), **content)


def of_ready(ready: InstanceReady) -> Json:
    return {"kind": "ready", "id": ready.id}


def of_ended(ended: InstanceEnded) -> Json:
    return {"kind": "ended", **dataclasses.asdict(ended)}


def of_denied(denied: EgressDenied) -> Json:
    return {"kind": "denied", **dataclasses.asdict(denied)}


def of_line(line: LogLine) -> Json:
    return {
        "kind": "line",
        "time": line.time,
        "function": [line.function.namespace, line.function.name],
        "revision": line.revision,
        "instance": line.instance,
        "stream": line.stream,
        "message": line.message,
        "request_id": line.request_id,
    }


def to_event(content: Json) -> InstanceReady | InstanceEnded | EgressDenied | LogLine:
    """Raises: ValueError for a kind that is not known."""
    kind = content.pop("kind")
    if kind == "ready":
        return InstanceReady(**content)
    if kind == "ended":
        return InstanceEnded(
            function=FunctionName(**content.pop("function")), last_lines=tuple(content.pop("last_lines")), **content
        )
    if kind == "denied":
        return EgressDenied(function=FunctionName(**content.pop("function")), **content)
    if kind == "line":
        return LogLine(function=FunctionName(*content.pop("function")), **content)
    raise ValueError(f"unknown event {kind!r}")


def of_error(error: FfxError) -> Json:
    return {"code": error.code, "message": error.message}


def to_error(content: Json) -> FfxError:
    return tree().get(content["code"], Unavailable)(content["message"])
