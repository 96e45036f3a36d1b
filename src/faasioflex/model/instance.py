"""Instances: what is asked of a runtime driver and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from faasioflex.model.function import Limits, Network, RuntimeName
from faasioflex.model.names import FunctionName

InstanceState = Literal["starting", "ready", "stopping"]
# killed: SIGKILL from somebody else than the platform; lost: its launcher died
EndReason = Literal["exit", "signal", "killed", "out-of-memory", "stopped", "retired", "lost"]
Stream = Literal["stdout", "stderr", "platform"]


@dataclass(frozen=True)
class BuiltCode:
    """A built revision on this node: two folders that no later build changes. ``deps`` is None where it has none."""

    code: Path
    deps: Path | None


@dataclass(frozen=True)
class InstanceSpec:
    """One instance to start. ``id`` is ``i-`` and 16 hex digits, chosen by the caller and never used again."""

    id: str
    function: FunctionName
    function_uid: str
    revision: int
    runtime: RuntimeName
    handler: str | None
    env: dict[str, str]
    limits: Limits
    network: Network
    code: BuiltCode
    platform_url: str | None  # FFX_URL
    wake: bool = False  # started for a waiting call: a floor of one until the scaler has seen it
    files: dict[str, bytes] = field(default_factory=dict, repr=False)  # at /run/ffx: «token», «secrets/NAME»


@dataclass(frozen=True)
class Instance:
    """What a driver observes. ``labels`` of the platform (function, revision) come back as they were given."""

    id: str
    function: FunctionName
    function_uid: str
    revision: int
    address: str  # unix:/absolute/path or host:port
    state: InstanceState
    started_at: float  # seconds since the epoch
    wake: bool = False
    memory_bytes: int = 0  # its limits as they are now
    cpu: float = 0.0
    frozen: bool = False  # nothing of it runs until it is thawed


@dataclass(frozen=True)
class InstanceReady:
    id: str


@dataclass(frozen=True)
class InstanceEnded:
    """``detail`` is a sentence for people: «ended by signal 9», «used more than its 128 MiB of memory»."""

    id: str
    function: FunctionName
    function_uid: str
    revision: int
    reason: EndReason
    detail: str
    was_ready: bool
    last_lines: tuple[str, ...] = ()  # of its log, at most 20


@dataclass(frozen=True)
class EgressDenied:
    """It asked for a destination (``host:port``, or a host's name) that it may not reach; ``why`` is a sentence."""

    id: str
    function: FunctionName
    revision: int
    destination: str
    why: str

    @property
    def facts(self) -> dict[str, str | int | float | None]:
        """The data of its event."""
        return {"instance": self.id, "revision": self.revision, "destination": self.destination, "why": self.why}


@dataclass(frozen=True)
class LogLine:
    """One line as it is kept and answered; ``message`` is at most 16 KiB."""

    time: float  # seconds since the epoch
    function: FunctionName
    revision: int
    instance: str
    stream: Stream
    message: str
    request_id: str | None = None


InstanceEvent = InstanceReady | InstanceEnded | EgressDenied | tuple[LogLine, ...]
