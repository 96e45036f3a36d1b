"""What stands in the header of a queued call: enough to know when it runs, so that the queue is read without the bodies.

One field, because it is written and read for every call: ``1 UID ATTEMPTS BORN RUN-AT PRIORITY ORDER FLAGS KEY``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from sys import intern
from urllib.parse import quote, unquote

from faasioflex.model.messages import QUEUE_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.queue import QueuedCall

FIELD = "Ffx-Call"
_VERSION, _NONE = "1", "-"
_CALLBACK, _DOUBTFUL = "c", "d"


@dataclass(frozen=True, slots=True)
class Head:
    """``born``: its age counts from there. ``run_at``: not earlier (delayed by its caller, or tried again). Epoch seconds.

    ``order``: place among its function's calls, 0 where it is that of its message. ``doubtful``: an outcome may exist already.
    """

    function_uid: str
    attempts: int
    born: float
    run_at: float
    priority: int
    order: int
    order_key: str
    callback: bool
    doubtful: bool


def head_of(call: QueuedCall, *, run_at: float = 0.0, doubtful: bool = False) -> Head:
    born = max(call.accepted_at, call.not_before or 0.0)
    return Head(
        call.function_uid,
        call.attempts,
        born,
        max(run_at, call.not_before or 0.0),
        call.priority,
        call.order,
        call.order_key,
        call.callback is not None,
        doubtful,
    )


def write_head(head: Head) -> dict[str, str]:
    flags = (_CALLBACK if head.callback else "") + (_DOUBTFUL if head.doubtful else "")
    key = quote(head.order_key, safe="").replace("-", "%2D") or _NONE  # a key of «-» is one
    text = (
        f"{_VERSION} {head.function_uid or _NONE} {head.attempts} {head.born!r} {head.run_at!r} {head.priority} {head.order} "
        f"{flags or _NONE} {key}"
    )
    return {FIELD: text}


def read_head(headers: Mapping[str, str]) -> Head | None:
    """None where there is none that can be read."""
    fields = headers.get(FIELD, "").split(" ")
    if len(fields) != 9 or fields[0] != _VERSION:
        return None
    _, uid, attempts, born, run_at, priority, order, flags, key = fields
    try:
        return Head(
            "" if uid == _NONE else intern(uid),
            int(attempts),
            float(born),
            float(run_at),
            int(priority),
            int(order),
            "" if key == _NONE else unquote(key),
            _CALLBACK in flags,
            _DOUBTFUL in flags,
        )
    except ValueError:
        return None


def subject_of(function: FunctionName, invocation_id: str) -> str:
    return f"{QUEUE_SUBJECT}.{function.key}.{invocation_id}"


def place_of(subject: str) -> tuple[FunctionName, str]:
    """Function and id that a subject of the stream names."""
    namespace, name, invocation_id = subject.removeprefix(f"{QUEUE_SUBJECT}.").split(".")
    return FunctionName(namespace, name), invocation_id
