"""Between the launcher and the egress relay: JSON datagrams on a SOCK_SEQPACKET unix socket, descriptors beside them.

Launcher -> relay: :class:`Guest` with the descriptors of its plan's listeners (in pieces where they are many), ``{"gone": id}``.
Relay -> launcher: :class:`Denial`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faasioflex.runtime.egress.plan import Plan, plan_fetch, plan_instance

LONGEST_BYTES = 128 * 1024
DESCRIPTORS_AT_ONCE = 200  # the kernel passes at most 253


@dataclass(frozen=True)
class Guest:
    """A sandbox that is served. ``fetch``: a build's step, whose destinations the operator chose; ``proxies``: the machine's own
    (``HTTPS_PROXY`` and the like), which its connections go through."""

    id: str
    egress: tuple[str, ...]
    platform: bool = False
    fetch: bool = False
    proxies: Mapping[str, str] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """Raises: ValueError for an entry that is none."""
        return plan_fetch(self.egress) if self.fetch else plan_instance(self.egress, platform=self.platform)


@dataclass(frozen=True)
class Denial:
    """``destination`` as people read it, ``why`` a sentence; ``unsaid``: how many before it were not reported.

    ``denied`` False: it might be reached and could not be.
    """

    id: str
    destination: str
    why: str
    unsaid: int = 0
    denied: bool = True


def pack(message: Guest | Denial | dict[str, Any]) -> bytes:
    content = message if isinstance(message, dict) else dataclasses.asdict(message)
    return json.dumps(content, separators=(",", ":")).encode()


def to_guest(content: dict[str, Any]) -> Guest:
    return Guest(egress=tuple(content.pop("egress")), **content)
