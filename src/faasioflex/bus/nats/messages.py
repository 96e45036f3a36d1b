"""What the server says of a stored message: in answers of ``STREAM.MSG.GET`` and in the reply subject of a delivered one."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoredMessage:
    subject: str
    data: bytes
    headers: dict[str, str]
    sequence: int

    @classmethod
    def of(cls, answer: dict[str, Any]) -> StoredMessage:
        return cls(
            answer["subject"],
            base64.b64decode(answer.get("data", "")),
            _headers(base64.b64decode(answer.get("hdrs", ""))),
            int(answer["seq"]),
        )


def _headers(raw: bytes) -> dict[str, str]:
    """Of a ``NATS/1.0`` header block; its first line is the version."""
    found: dict[str, str] = {}
    for line in raw.decode(errors="replace").split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon:
            found[name.strip()] = value.strip()
    return found


def delivery_of(reply: str) -> tuple[int, int, int, int]:
    """Stream sequence, number of the delivery, time of storing (ns since the epoch), messages still to come.

    ``$JS.ACK.stream.consumer.deliveries.sequence.delivery.time.pending``, longer with a domain and an account in it.
    """
    fields = reply.split(".")
    at = 5 if len(fields) == 9 else 7
    return int(fields[at]), int(fields[at + 1]), int(fields[at + 2]), int(fields[at + 3])
