"""What may be asked of an asynchronous call besides the call itself, and the bounds of the queue."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.model.execute import MOST_DELAY_S
from faasioflex.model.queue import Callback

MIB = 1024 * 1024
MESSAGE_MARGIN = 64 * 1024  # of a message: its header, and what a dead letter says besides the call
LONGEST_DELAY_S = MOST_DELAY_S + 1.0  # a second for the way


@dataclass(frozen=True)
class CallOptions:
    """``idempotency_key``: the same caller's second call of the same function with it, within 24 h, is the first one.

    ``not_before``: seconds since the epoch. ``priority``: 0 to 9, higher ones go first. ``order_key``: where the function's
    ``async.order`` is ``fifo-per-key``, its calls run one after the other; without a key a call is in no order.
    """

    idempotency_key: str | None = None
    not_before: float | None = None
    priority: int = 0
    order_key: str = ""
    callback: Callback | None = None


NO_OPTIONS = CallOptions()


@dataclass(frozen=True)
class QueueBounds:
    """Counts, bytes, seconds. Of the stream as a whole see ``bus/buckets``."""

    per_function: int = 200_000  # calls of one function that wait
    runs: int = 1024  # at once, over all functions; one function leaves at least as many free as it has itself
    running_bytes: int = 256 * MIB  # of the calls that run
    kept_bytes: int = 64 * MIB  # of calls that wait and need not be read again
    longest_call: int = 16 * MIB - MESSAGE_MARGIN  # encoded; the server's max_payload less what comes around it
    lease_s: float = 10.0
    renew_s: float = 2.0
    first_pause_s: float = 0.25  # where the platform, not the function, is in the way; doubled each time
    longest_pause_s: float = 15.0
