"""How much of its output a sandbox may have kept: lines and bytes per second, with a burst."""

from __future__ import annotations

from dataclasses import dataclass

MUTE_S = 1.0


@dataclass(frozen=True)
class Allowance:
    lines_per_s: float = 1_000
    burst_lines: float = 5_000
    bytes_per_s: float = 2 * 1024 * 1024
    burst_bytes: float = 8 * 1024 * 1024


class Rate:
    """Two token buckets. When one is empty everything is dropped for ``MUTE_S``, so that there is one notice and not thousands.

    ``now`` is a monotonic time in seconds.
    """

    def __init__(self, now: float, allowance: Allowance = Allowance()) -> None:
        self.allowance = allowance
        self._lines = allowance.burst_lines
        self._bytes = allowance.burst_bytes
        self._at = now
        self._muted_until: float | None = None
        self._dropped = 0

    def muted(self, now: float) -> bool:
        return self._muted_until is not None and now < self._muted_until

    def admit(self, size: int, now: float) -> bool:
        """Whether a line of ``size`` bytes is kept; one that is not counts as dropped."""
        if self.muted(now):
            self._dropped += 1
            return False
        self._refill(now)
        if self._lines < 1 or self._bytes < size:
            self._muted_until = now + MUTE_S
            self._dropped += 1
            return False
        self._lines -= 1
        self._bytes -= size
        return True

    def drop(self, lines: int) -> None:
        """Count lines that were thrown away unread."""
        self._dropped += lines

    def notice(self, now: float, *, final: bool = False) -> str | None:
        """A sentence about what was dropped, once the silence is over or at the ``final`` end."""
        if not self._dropped or (self.muted(now) and not final):
            return None
        dropped, self._dropped, self._muted_until = self._dropped, 0, None
        per_s, mib = self.allowance.lines_per_s, self.allowance.bytes_per_s / 1024 / 1024
        return f"{dropped} lines dropped: more than {per_s:.0f} lines/s or {mib:.0f} MiB/s of output"

    def _refill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._at = now
        self._lines = min(self.allowance.burst_lines, self._lines + passed * self.allowance.lines_per_s)
        self._bytes = min(self.allowance.burst_bytes, self._bytes + passed * self.allowance.bytes_per_s)
