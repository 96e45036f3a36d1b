"""When Envoy tries a call again, and where: three policies and no others.

``connect-failure`` and ``reset-before-request`` are before the first byte, so any method may be sent again.
``retriable-headers`` is the answer of an instance that is full, given before the handler started. ``reset`` (the connection
ended before an answer) is for idempotent methods only.
"""

from __future__ import annotations

from faasioflex.gateway.envoy.proto import Json, seconds, typed

IDEMPOTENT = "GET|HEAD|OPTIONS|PUT|DELETE"
SAFE = "GET|HEAD|OPTIONS"
OVERFLOW_HEADER = "x-ffx-overflow"

_BEFORE_A_BYTE = "connect-failure,refused-stream,reset-before-request"
# Full jitter around 1, 2, 4 … 500 ms: the first tries come at once, all of them together take three to four seconds.
_PATIENT = {"num_retries": 22, "retry_back_off": {"base_interval": "0.001s", "max_interval": "0.5s"}}


def waiting(*, resets: bool, longer: bool = False) -> Json:
    """For one of our own parts, which may be restarting. ``longer``: some ten seconds, as the API waits for the invoker."""
    tries = {"num_retries": 48} if longer else {}
    return {"retry_on": _BEFORE_A_BYTE + (",reset" if resets else ""), **_PATIENT, **tries}


def next_priority(*, resets: bool, first_byte_s: float) -> Json:
    """For a function: the second try goes to priority 1, the invoker, and from there in turn.

    ``first_byte_s`` bounds a try until its answer begins: interim answers (1xx) end no silence.
    """
    return {
        "retry_on": f"{_BEFORE_A_BYTE},retriable-headers" + (",reset" if resets else ""),
        "retriable_headers": [{"name": OVERFLOW_HEADER, "present_match": True}],
        "retry_priority": {
            "name": "envoy.retry_priorities.previous_priorities",
            "typed_config": typed(
                "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", update_frequency=1
            ),
        },
        "per_try_timeout": seconds(first_byte_s),
        **_PATIENT,
    }
