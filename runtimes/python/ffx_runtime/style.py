"""How calls reach user code: one style per kind of function."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ffx_runtime.exchange import Exchange
    from ffx_runtime.roles import Host

_OWN = "ffx_runtime"


class Style:
    """What the server needs of a function. ``streams_request``: it is called when the headers are there."""

    streams_request = False
    on_loop = False  # user code runs on the server's loop, which then wants watching

    def __init__(self, server: Host) -> None:
        self.server = server

    async def startup(self) -> None:
        """Before the first call.

        Raises: StartupFailed.
        """

    async def shutdown(self) -> None:
        """After the last one."""

    def begin(self, exchange: Exchange) -> None:
        """Start the work of an admitted exchange; it must see to ``exchange.end_work()``."""
        raise AssertionError("each style has its own")

    def upgrade(self, exchange: Exchange) -> bool:
        """Take over the connection for a WebSocket; False: it is an ordinary request."""
        del exchange
        return False


class StartupFailed(Exception):
    """The function cannot be served; the message says why."""


def trace(error: BaseException) -> str:
    """The error with its trace, frames of the runtime and of the import system left out."""
    shown = traceback.TracebackException.from_exception(error, limit=-50)
    todo: list[traceback.TracebackException | None] = [shown]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        one.stack = traceback.StackSummary.from_list([frame for frame in one.stack if not _is_own(frame.filename)])
        todo += [one.__cause__, one.__context__]
    return "".join(shown.format())


def _is_own(filename: str) -> bool:
    return (
        f"/{_OWN}/" in filename
        or filename.startswith("<frozen importlib")
        or filename.endswith("/importlib/__init__.py")
    )


def failure(error: BaseException) -> str:
    """The sentence for the caller: no trace, no message of the error, which may hold what callers should not see."""
    return f"the function raised {type(error).__name__}: its log has the trace"
