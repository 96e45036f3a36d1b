"""An asynchronous call as it lies in the stream ``FFX_CALLS``, and how it is asked about. See docs/adr/0017-queue.md.

A message's subject is ``ffx.queue.<ns>.<name>.<id>``. What decides when it runs stands in its headers, so that the queue can be
read without the bodies; its data is the encoded :class:`QueuedCall`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from faasioflex.model.invocation import CalledBy, Invocation

MOST_PRIORITY = 9


@dataclass(frozen=True)
class Callback:
    """Where the outcome is posted. ``secret``: the name of the namespace's secret that signs it; None: the namespace's own key."""

    url: str
    secret: str | None = None


@dataclass(frozen=True)
class QueuedCall:
    """Everything that is needed to make the call, and to say who made it: the policy is asked again before it runs.

    ``headers``: those of the call as it came, without the platform's own and without Authorization that was the platform's.
    ``body_base64`` because bodies are any bytes.
    """

    invocation_id: str
    namespace: str
    name: str
    function_uid: str
    revision: int | None  # that the caller named
    method: str
    path: str  # what the function sees, with the query
    headers: tuple[tuple[str, str], ...]
    body_base64: str
    principal: CalledBy
    pid: str  # of the principal; "" for nobody
    accepted_at: float  # seconds since the epoch
    not_before: float | None = None
    priority: int = 0  # 0 to 9; higher ones go first
    order_key: str = ""
    timeout_s: float | None = None
    callback: Callback | None = None
    redrive_of: str | None = None
    attempts: int = 0  # that have ended
    last_error: str | None = None
    request_id: str | None = None
    traceparent: str | None = None
    caller_function_uid: str = ""  # where a function called: its registration, as its token had it
    order: int = 0  # place among the calls of its function: the sequence of the first message it lay in; 0: of this one


def queued_invocation(call: QueuedCall) -> Invocation:
    """As it is shown while it waits."""
    return Invocation(
        invocation_id=call.invocation_id,
        function=f"{call.namespace}/{call.name}",
        revision=call.revision,
        status="queued",
        result=None,
        error=None,
        attempts=call.attempts,
        created_at=call.accepted_at,
        started_at=None,
        finished_at=None,
        duration_ms=None,
        principal=call.principal if call.pid else None,
        asynchronous=True,
        not_before=call.not_before,
        redrive_of=call.redrive_of,
    )


@dataclass(frozen=True)
class QueueQuestion:
    """To the invoker that works on the queue. ``redrive`` takes a dead letter's id."""

    what: Literal["state", "cancel", "depth", "redrive"]
    invocation_id: str | None = None
    function: str | None = None  # ns/name; of depth
    asked_by: CalledBy | None = None


@dataclass(frozen=True)
class QueueDepth:
    """Of one function: how many wait, how many run, how old the oldest that may run is."""

    function: str
    queued: int
    delayed: int
    running: int
    oldest_s: float


@dataclass(frozen=True)
class QueueAnswer:
    """``invocation`` None: it is not in the queue (any more). ``code`` of model.errors, where it was refused."""

    invocation: Invocation | None = None
    depths: tuple[QueueDepth, ...] = field(default=())
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class DeadLetter:
    """A call that was given up, kept with what is needed to make it again (bucket ``ffx_dead_letters``, key ``ns.name.id``)."""

    call: QueuedCall
    invocation: Invocation
    died_at: float


@dataclass(frozen=True)
class Repeatable:
    """What a call with an idempotency key became (bucket ``ffx_idempotency``, key: the call's id, which the key gives)."""

    function: str  # ns/name
    at: float  # seconds since the epoch
    stored: bool  # whether it certainly was in the queue; else whoever repeats the call puts it there


@dataclass(frozen=True)
class LeaseRecord:
    """Who does alone what only one may (bucket ``ffx_leases``). ``incarnation``: one run of the member's process."""

    member: str
    incarnation: str
    since: float


@dataclass(frozen=True)
class SignRequest:
    """To the process that has the master key: keys do not leave it. ``secret`` as in :class:`Callback`."""

    namespace: str
    secret: str | None
    content_base64: str  # what is signed


@dataclass(frozen=True)
class SignReply:
    """``signatures``: ``v1,BASE64``, of the key in use first. ``code`` of model.errors, where there is none."""

    signatures: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
