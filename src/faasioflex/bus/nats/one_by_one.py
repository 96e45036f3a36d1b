"""Single messages of a stream by their sequence: reading one, taking some out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from faasioflex.bus.nats.jetstream import API, MESSAGE_NOT_FOUND, ApiError, JetStream
from faasioflex.bus.nats.link import LinkLost
from faasioflex.bus.port import StreamMessage
from faasioflex.model.errors import Unavailable

MOST_AT_ONCE = 256
SUBJECT, TIME = "Nats-Subject", "Nats-Time-Stamp"  # that the server puts on what it gives directly


async def last_sequence(jetstream: JetStream, stream: str) -> int:
    """Raises: Unavailable."""
    try:
        return int((await jetstream.api(f"STREAM.INFO.{stream}"))["state"]["last_seq"])
    except ApiError as error:
        raise Unavailable(f"{stream} cannot be read: {error}") from error


async def read_message(jetstream: JetStream, stream: str, sequence: int) -> StreamMessage | None:
    """Directly from the store, past the queue of the leader's API. Raises: Unavailable."""
    message = await jetstream.direct(f"DIRECT.GET.{stream}", json.dumps({"seq": sequence}).encode())
    headers = message.headers or {}
    if "Status" in headers:
        if headers["Status"] == "404":
            return None
        raise Unavailable(f"{stream} cannot be read: {headers.get('Description', headers['Status'])}")
    moment = datetime.fromisoformat(headers[TIME][:26].rstrip("Z") + "+00:00").timestamp()
    return StreamMessage(headers[SUBJECT], message.data, sequence, moment, headers)


async def remove_messages(jetstream: JetStream, stream: str, sequences: Sequence[int]) -> None:
    """Only the last of a group is answered: the server takes them one after the other, so its answer stands for all.

    Raises: Unavailable.
    """
    subject = f"STREAM.MSG.DELETE.{stream}"
    for start in range(0, len(sequences), MOST_AT_ONCE):
        *unanswered, last = [
            {"seq": sequence, "no_erase": True} for sequence in sequences[start : start + MOST_AT_ONCE]
        ]
        link = await jetstream.connection.link(jetstream.connection.deadline())
        try:
            for each in unanswered:
                await link.publish(f"{API}{subject}", json.dumps(each).encode())
        except LinkLost:
            raise Unavailable(f"NATS went away while messages were taken out of {stream}") from None
        try:
            await jetstream.api(subject, last)
        except ApiError as error:
            if error.number not in (MESSAGE_NOT_FOUND, MESSAGE_GONE):
                raise Unavailable(f"{stream} cannot be changed: {error}") from error


MESSAGE_GONE = 10057  # as the server says it of a deletion
