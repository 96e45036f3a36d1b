"""Buckets as they lie in streams: subjects, deletion markers, values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from faasioflex.bus.codec import decode
from faasioflex.bus.nats.feed import Record
from faasioflex.model.errors import FfxError, Invalid

T = TypeVar("T")
log = structlog.get_logger(__name__)
OPERATION = "KV-Operation"
DELETED = "DEL"
REMOVALS = ("DEL", "PURGE")
SERVER_MARKER = "Nats-Marker-Reason"


def stream_of(bucket: str) -> str:
    return f"KV_{bucket}"


def subject_of(bucket: str, key: str) -> str:
    return f"$KV.{bucket}.{key}"


def key_of(bucket: str, subject: str) -> str:
    return subject.removeprefix(f"$KV.{bucket}.")


def is_removal(headers: dict[str, str] | None) -> bool:
    return headers is not None and (headers.get(OPERATION) in REMOVALS or SERVER_MARKER in headers)


def read_value(value_type: type[T], data: bytes, *, bucket: str, key: str) -> T:
    """Raises FfxError (a damaged record is the platform's fault, not the caller's)."""
    try:
        return decode(value_type, data)
    except Invalid as error:
        raise FfxError(f"The record {key} of {bucket} cannot be read: {error}") from error


def value_of(value_type: type[T], bucket: str, record: Record) -> T | None:
    """The value of a record that is no removal; None and a logged error where it is damaged: one bad record hides only itself."""
    key = key_of(bucket, record.subject)
    try:
        return read_value(value_type, record.data, bucket=bucket, key=key)
    except FfxError as error:
        log.error("a damaged record is left out", bucket=bucket, key=key, error=str(error))
        return None


@dataclass(frozen=True)
class StreamState:
    created: str
    last_sequence: int
    subjects: int  # that have a message, deletion markers included

    @classmethod
    def of(cls, info: dict[str, Any]) -> StreamState:
        """From the answer of STREAM.INFO."""
        state = info["state"]
        return cls(info["created"], int(state["last_seq"]), int(state.get("num_subjects", 0)))
