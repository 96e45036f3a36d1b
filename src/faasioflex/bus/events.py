"""CloudEvents 1.0 (JSON) of what happens to functions, instances, people and what they may; stream ``FFX_EVENTS``.

Subject on the bus: ``ffx.event.<noun>.<verb>.<namespace>.<name>``, or ``ffx.event.<noun>.<verb>.<name>`` of what is in no
namespace; of an alert the verb is its kind; type ``faasioflex.<noun>.<verb>``; the event's own subject ``namespace/name`` or ``name``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from faasioflex.bus.buckets import (
    ALERTS,
    BINDINGS,
    FUNCTIONS,
    GRANTS,
    GROUPS,
    NAMESPACES,
    SCALE,
    SECRETS,
    STATUS,
    TOKENS,
    USERS,
)
from faasioflex.bus.codec import decode
from faasioflex.bus.port import Bus, Write
from faasioflex.model.alert import Alert
from faasioflex.model.function import FunctionRecord
from faasioflex.model.identity import Told
from faasioflex.model.messages import EVENTS_SUBJECT
from faasioflex.model.names import FunctionName
from faasioflex.model.status import DesiredScale, FunctionStatus

SOURCE = "/faasioflex"
Data = Mapping[str, str | int | float | None]


# of the buckets of identity, whose records say what their write was
NOUNS = {
    USERS.name: "user",
    GROUPS.name: "group",
    NAMESPACES.name: "namespace",
    BINDINGS.name: "binding",
    GRANTS.name: "grant",
    TOKENS.name: "token",
    SECRETS.name: "secret",
}


@dataclass(frozen=True)
class Telling:
    """All that events are made of in a record of identity. ``owner`` and ``kind``: of a token."""

    told: Told | None = None
    owner: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Event:
    """``id`` makes it once only; ``at`` is seconds since the epoch."""

    id: str
    noun: str
    verb: str
    about: str  # ``namespace.name``, or ``name``
    at: float
    data: Data

    @property
    def subject(self) -> str:
        return f"{EVENTS_SUBJECT}.{self.noun}.{self.verb}.{self.about}"

    def encode(self) -> bytes:
        """The CloudEvent in JSON format."""
        return json.dumps(
            {
                "specversion": "1.0",
                "id": self.id,
                "source": SOURCE,
                "type": f"faasioflex.{self.noun}.{self.verb}",
                "subject": self.about.replace(".", "/", 1),
                "time": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
                "datacontenttype": "application/json",
                "data": dict(self.data),
            },
            ensure_ascii=False,
        ).encode()


def of_write(write: Write) -> Event | None:
    """The event that a write of one of the relay's buckets stands for; None where it stands for none.

    Its id is the bucket's name and the write's sequence: the same write is the same event, whoever derives it and when.
    Raises: Invalid, where the record cannot be read.
    """
    noun, about = "function", write.key
    found: tuple[str, Data] | None = None
    if write.bucket == FUNCTIONS.name:
        found = _of_function(write)
    elif write.bucket == STATUS.name:
        found = _of_status(write)
    elif write.bucket == SCALE.name:
        found = _of_scale(write)
    elif write.bucket == ALERTS.name:
        noun, about = "alert", write.key.partition(".")[2]
        found = _of_alert(write)
    elif write.bucket in NOUNS:
        noun, found = NOUNS[write.bucket], _of_identity(write)
    if found is None:
        return None
    verb, data = found
    return Event(f"{write.bucket}-{write.revision}", noun, verb, about, write.time, data)


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


def _of_scale(write: Write) -> tuple[str, Data] | None:
    """The decision that this write was made for; a write that only notes something has none."""
    if write.data is None:
        return None
    scale = decode(DesiredScale, write.data)
    newest = scale.newest
    if newest is None or newest[1].at != scale.decided_at:
        return None
    revision, decision = newest
    why = {"signal": decision.signal, "value": decision.value, "threshold": decision.threshold, "unit": decision.unit}
    said = {"revision": revision, "from": decision.before, "to": decision.to, **why, "reason": decision.reason}
    return "scale-decided", {"uid": scale.function_uid, **said}


def _of_alert(write: Write) -> tuple[str, Data] | None:
    """Its verb is the alert's kind. The deletion of one that has ended is no event: its end was written before."""
    if write.data is None:
        return None
    alert = decode(Alert, write.data)
    said = {"state": alert.state, "value": alert.value, "threshold": alert.threshold, "unit": alert.unit}
    return alert.kind, {"uid": alert.function_uid, **said, "message": alert.message}


def _of_identity(write: Write) -> tuple[str, Data] | None:
    """What changed, by whom and for whom. Never what the record holds: secrets, addresses, digests stay where they are."""
    if write.data is None:
        return "deleted", {}
    record = decode(Telling, write.data)
    told = record.told
    if told is None:
        return None
    said = {"by": told.by, "to": told.about, "owner": record.owner, "kind": record.kind}
    return told.change, {name: value for name, value in said.items() if value}


async def publish_event(
    bus: Bus, noun: str, verb: str, function: FunctionName, data: Data, *, at: float | None = None
) -> None:
    """Publish what is no write of the registry (``instance.started``): at most once, lost if this process dies first.

    Raises: Unavailable.
    """
    event = Event(uuid4().hex, noun, verb, function.key, time.time() if at is None else at, data)
    await bus.append(event.subject, event.encode(), message_id=event.id)
