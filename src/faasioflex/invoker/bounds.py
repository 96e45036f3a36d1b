"""Every bound of the invoker that is not a function's own."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True)
class Bounds:
    """Seconds, bytes, counts. Tests shorten them."""

    start_allowance_s: float = 60.0  # a call may wait so long for a start, on top of its function's queue_wait_s
    wake_refresh_s: float = 3.0  # a wake is repeated that often: the manager that had it may be gone
    wake_pause_s: float = 0.1  # between a wake that led to nothing and the next
    failed_start_s: float = 0.5  # calls within it after a failed start get the same answer, without another wake
    away_hold_s: float = 10.0  # while NATS or the manager is away, calls are held so long
    first_backoff_s: float = 0.005  # an instance that said it is full is asked again after
    longest_backoff_s: float = 0.05
    connect_s: float = 3.0
    deadline_slack_s: float = 2.0  # the runtime enforces timeout_s; we are behind it
    continue_s: float = 1.0  # how long a server may take to answer Expect: 100-continue before the body goes anyway
    client_silence_s: float = 60.0  # between bytes of a request's body
    streams_after_s: float = 0.1  # a body of no declared length that is not whole by then goes on as it comes
    repeatable_body_bytes: int = MIB  # kept until the instance has answered, so that another may be asked
    held_calls: int = 10_000  # waiting, over all functions
    held_bytes: int = 256 * MIB  # of bodies kept, over all functions
    attempts: int = 20  # of one call, over all instances
    resets: int = 2  # of them ended by a reset after the request was sent (idempotent methods)
    leader_reads_per_s: float = 50.0  # questions to the registry's leader for names that the copy does not know
    unknown_name_s: float = 1.0  # a name that does not exist is not asked for again within
    bus_calls: int = 256  # calls over NATS at once
    result_bytes: int = 12 * MIB  # of an answer that becomes an invocation's result
    stored_result_bytes: int = MIB
    applied_every_s: float = 1.0
    load_every_s: float = 0.5
    calls_every_s: float = 2.0
    cache_bytes: int = 64 * MIB  # of answers kept, over all functions
    cache_entry_bytes: int = 2 * MIB  # a larger answer is not kept
