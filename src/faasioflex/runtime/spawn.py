"""Fork and exec with exact descriptors, and work to be done in the child between the two.

``subprocess`` cannot say «this descriptor as number 3», and a shell or a second Python as a shim would cost milliseconds of
every start. The launcher has one thread, so Python code between fork and exec is safe here.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

LOWEST_OWN = 10  # below are the numbers that children are handed descriptors under
NOT_STARTED = 126  # exit code of a child that did not come to exec; its stderr says why


@dataclass(frozen=True)
class Spawn:
    """A process to start. ``executable`` is a path or an O_PATH descriptor."""

    executable: str | int
    argv: Sequence[str]
    env: Mapping[str, str]
    handed: Mapping[int, int]  # number in the child -> our descriptor; 0, 1 and 2 among them
    kept: Sequence[int] = ()  # ours that the child keeps under their own number
    prepare: Callable[[], None] = field(default=lambda: None)  # runs in the child


def reserve_low_descriptors() -> None:
    """Occupy 3 to 9 and make everything else private, before anything is opened: no ``dup2`` in a child hits a live descriptor."""
    for entry in os.listdir("/dev/fd"):
        try:
            if int(entry) > 2:
                os.set_inheritable(int(entry), False)
        except OSError:
            continue  # the descriptor of the listing itself
    null = os.open(os.devnull, os.O_RDWR)
    taken = [null]
    while taken[-1] < LOWEST_OWN - 1:
        taken.append(os.dup(null))


def spawn(what: Spawn) -> int:
    """Start it and return its pid at once. What goes wrong before exec is a line on its stderr and exit code 126."""
    pid = os.fork()
    if pid:
        return pid
    try:
        _become(what)
    except BaseException as error:  # nothing may return into the parent's code here
        os.write(2, f"could not be started: {error}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def _become(what: Spawn) -> None:
    signal.set_wakeup_fd(-1)
    for number, ours in what.handed.items():
        os.dup2(ours, number)
    for descriptor in what.kept:
        os.set_inheritable(descriptor, True)
    what.prepare()
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them; programs expect the default
        signal.signal(ignored, signal.SIG_DFL)
    os.execve(what.executable, list(what.argv), dict(what.env))  # noqa: S606
