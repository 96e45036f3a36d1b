"""What processes use, by the kernel's word."""

from __future__ import annotations

import os

from faasioflex.api import processes


def test_this_process_and_none_that_has_ended() -> None:
    found = processes.of({"me": os.getpid(), "gone": 2**22 + 1})
    assert set(found) == {"me"}
    one = found["me"]
    assert one.resident_bytes > 5_000_000
    assert one.open_fds
    assert one.cpu_s > 0
    with open(os.devnull, "rb"):
        more = processes.of(processes.own())["api"]
    assert more.open_fds == one.open_fds + 1
