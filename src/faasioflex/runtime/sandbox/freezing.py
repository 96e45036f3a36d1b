"""Freezing without a freezer: SIGSTOP to everything in a sandbox, SIGCONT to the same processes later.

What is stopped so can still be killed, and does not outlive a launcher that is (as what the freezer of cgroup version 1 holds would).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

_MOST_ROUNDS = 100  # more than a sandbox may have processes, were each to be found in a round of its own


class Stopped:
    """``inside`` lists what is in the sandbox. Made: all of it is stopped. Raises: OSError where descriptors are used up.

    Its processes are kept hold of, so that going on takes no search: nothing in it can fork meanwhile.
    """

    def __init__(self, inside: Callable[[], set[int]]) -> None:
        self._handles: dict[int, int] = {}
        try:
            for _ in range(_MOST_ROUNDS):
                fresh = inside() - self._handles.keys()
                if not fresh:
                    return  # a process that is being stopped cannot fork: nothing new after a round is the end of it
                self._stop(fresh, inside)
        except OSError:
            self.go_on()
            raise

    def _stop(self, fresh: set[int], inside: Callable[[], set[int]]) -> None:
        held: dict[int, int] = {}
        try:
            for pid in fresh:
                try:
                    held[pid] = os.pidfd_open(pid)
                except ProcessLookupError:
                    continue
            still = inside()  # its number was not given to somebody else before we had hold of it
            for pid in held.keys() & still:
                signalled(held[pid], signal.SIGSTOP)
                self._handles[pid] = held.pop(pid)
        finally:
            for handle in held.values():
                os.close(handle)

    def go_on(self) -> None:
        for handle in self._handles.values():
            signalled(handle, signal.SIGCONT)
        self.close()

    def close(self) -> None:
        while self._handles:
            os.close(self._handles.popitem()[1])


def signalled(handle: int, number: signal.Signals) -> None:
    try:
        signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        return
