"""What a traced call tells as it goes: that it waits, that an instance has it, how it ended. Nothing, where nobody traces."""

from __future__ import annotations

from typing import Protocol

from faasioflex.invoker.call import Call
from faasioflex.model.route import Endpoint


class CallTrace(Protocol):
    """Of one call, in this order; ``waits`` and ``sends`` again with each try."""

    def waits(self, *, for_start: bool) -> None:
        """It asks for a place; ``for_start``: there is no instance to be asked."""

    def sends(self, endpoint: Endpoint) -> None:
        """An instance has it now. Where the call is traced, its traceparent names the try from here on."""

    def end(self, error: BaseException | None = None) -> None:
        """The answer has passed, as far as anybody wanted it, or ``error`` came instead of one. Later ones say nothing."""


class Traces(Protocol):
    def begin(self, call: Call) -> CallTrace: ...

    async def close(self) -> None:
        """Send what is left. Takes a second at most."""


class Untraced:
    """Of no call anything."""

    def begin(self, _call: Call) -> CallTrace:
        return self

    def waits(self, *, for_start: bool) -> None: ...

    def sends(self, endpoint: Endpoint) -> None: ...

    def end(self, error: BaseException | None = None) -> None: ...

    async def close(self) -> None: ...


UNTRACED = Untraced()
