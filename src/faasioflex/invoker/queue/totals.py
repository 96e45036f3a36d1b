"""What the queue has done, in figures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Totals:
    """Since this process works on the queue."""

    accepted: int = 0
    delivered: int = 0  # attempts that were made
    retried: int = 0
    succeeded: int = 0
    failed: int = 0
    dead: int = 0
    expired: int = 0  # of the dead: those that became too old
    cancelled: int = 0
    redelivered: int = 0  # calls that somebody before us had accepted or begun
