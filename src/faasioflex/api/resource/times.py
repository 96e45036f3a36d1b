"""Times as answers and queries write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_AGO = re.compile(r"(\d{1,9})(s|m|h|d)", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def rfc3339(time: float) -> str:
    """Seconds since the epoch as UTC with milliseconds: ``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_since(text: str, now: float) -> float | None:
    """``10m`` (s, m, h, d before ``now``) or RFC 3339, as seconds since the epoch; None where it is neither."""
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return max(0.0, now - int(ago[1]) * _SECONDS[ago[2]])
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return max(0.0, time.timestamp()) if time.tzinfo is not None else None
