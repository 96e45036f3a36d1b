"""An answer as the front passes it on, wherever it comes from: an instance, or the cache."""

from __future__ import annotations

from typing import Protocol

from faasioflex.invoker.call import Call
from faasioflex.invoker.http1.framing import Framing
from faasioflex.invoker.http1.head import ResponseHead


class Given(Protocol):
    """``close`` must be called, early or late."""

    head: ResponseHead
    framing: Framing
    revision: int
    start_ms: float | None  # how long the call waited for a start

    @property
    def ready(self) -> bool:
        """Whether ``chunk`` has something at once."""

    @property
    def done(self) -> bool:
        """Whether ``chunk`` has given everything."""

    async def chunk(self) -> bytes:
        """The next bytes of the body, b"" at its end. Raises: as ``Exchange.chunk``."""

    def close(self) -> None: ...


class Opens(Protocol):
    """The dispatcher, or the cache in front of it."""

    async def open(self, call: Call) -> Given:
        """Raises: as ``Dispatcher.open``."""
