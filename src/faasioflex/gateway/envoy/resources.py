"""What Envoy should have: named, versioned resources per type. A version is a digest of the content, so that an Envoy that kept
its resources while the control plane was away is sent only what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage


@dataclass(frozen=True)
class Resource:
    name: str
    version: str
    body: AnyMessage

    @classmethod
    def of(cls, name: str, message: Any) -> Resource:
        """Pack a protobuf message."""
        body = AnyMessage()
        body.Pack(message, deterministic=True)
        return cls(name, hashlib.sha256(body.value).hexdigest()[:16], body)


@dataclass(frozen=True)
class ResourceSet:
    """All resources of one type. With ``removals`` False what is not in it stays with Envoy: make before break."""

    resources: dict[str, Resource]
    removals: bool = True

    @classmethod
    def of(cls, resources: Iterable[Resource], *, removals: bool = True) -> ResourceSet:
        return cls({each.name: each for each in resources}, removals)
