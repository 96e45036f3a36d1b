"""CloudEvents 1.0 (JSON) of what happens to functions and instances; stream ``FFX_EVENTS``.

Subject on the bus: ``ffx.event.<noun>.<verb>.<namespace>.<name>``; type ``faasioflex.<noun>.<verb>``; the event's own subject
``namespace/name``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from faasioflex.bus.buckets import FUNCTIONS, STATUS
from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus, Write
from faasioflex.model.function import FunctionRecord
from faasioflex.model.messages import EVENTS_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.status import FunctionStatus

SOURCE = "/faasioflex"
Data = Mapping[str, str | int | float | None]


@dataclass(frozen=True)
class Event:
    """``id`` makes it once only; ``at`` is seconds since the epoch."""

    id: str
    noun: str
    verb: str
    function: FunctionName
    at: float
    data: Data

    @property
    def subject(self) -> str:
        return f"{EVENTS_SUBJECT}.{self.noun}.{self.verb}.{self.function.key}"

    def encode(self) -> bytes:
        """The CloudEvent in JSON format."""
        return json.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": SOURCE,
                "type": f"faasioflex.{self.noun}.{self.verb}",
                "subject": str(self.function),
                "time": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "data": dict(self.data),
            },
            ensure_ascii=False,
        ).encode()


def of_write(write: Write) -> Event | None:
    """The event that a write of ``ffx_functions`` or ``ffx_status`` stands for; None where it stands for none.

    Its id is the bucket's name and the write's sequence: the same write is the same event, whoever derives it and when.
    Raises: Invalid, where the record cannot be read.
    """
    if write.bucket == FUNCTIONS.name:
        found = _of_function(write)
    elif write.bucket == STATUS.name:
        found = _of_status(write)
    else:
        found = None
    if found is None:
        return None
    verb, data = found
    name = FunctionName.from_key(write.key)
    return Event(f"{write.bucket}-{write.revision}", "function", verb, name, write.time, data)


def _of_function(write: Write) -> tuple[str, Data] | None:
    if write.data is None:
        return "deleted", {}
    record = decode(FunctionRecord, write.data)
    if record.change == "deleting":
        return None  # it is deleted when its instances are gone and the record is too
    return record.change, {"uid": record.uid, "revision": record.latest, "runtime": record.spec.runtime}


def _of_status(write: Write) -> tuple[str, Data] | None:
    if write.data is None:
        return None
    status = decode(FunctionStatus, write.data)
    return (status.change, {"uid": status.function_uid, **status.change_data}) if status.change else None


async def publish_event(
    bus: Bus, noun: str, verb: str, function: FunctionName, data: Data, *, at: float | None = None
) -> None:
    """Publish what is no write of the registry (``instance.started``): at most once, lost if this process dies first.

    Raises: Unavailable.
    """
    event = Event(uuid4().hex, noun, verb, function, time.time() if at is None else at, data)
    await bus.append(event.subject, event.encode(), message_id=event.id)
