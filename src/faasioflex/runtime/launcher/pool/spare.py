"""One sandbox that waits for a function: started, warmed up, then told once which function it is; or ended unused."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable

from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.isolation import Order
from faasioflex.runtime.launcher.pool.shape import Shape
from faasioflex.runtime.launcher.vessel import Vessel
from faasioflex.runtime.processes import ProcessTable
from faasioflex.runtime.sandbox.box import SandboxBox
from faasioflex.runtime.sandbox.entrance import PLACES, Entrance

TOLD = 5  # the descriptor inside on which it says that it is warm, and hears which function it is
LONGEST_TOLD_BYTES = 64 * 1024  # is taken at once by the socket, whatever the process does meanwhile


def message(order: Order) -> bytes:
    """What a spare is told: what it would have been started with."""
    environment = {**order.env, "PWD": order.cwd}  # as bubblewrap does it
    return json.dumps({"argv": order.argv, "env": environment, "cwd": order.cwd}).encode()


def can_be_told(order: Order) -> bool:
    """Whether it may be told at all; what may not is refused where a sandbox is started with it."""
    told = message(order)
    return len(told) <= LONGEST_TOLD_BYTES and b"\\u0000" not in told


class Spare:
    """``begin`` it; then either ``become`` or ``discard``, once. ``ended``: its box has; ``vessel`` is its user's from ``become`` on."""

    def __init__(self, identifier: str, shape: Shape, box: SandboxBox, vessel: Vessel, entrance: Entrance) -> None:
        self.id = identifier
        self.shape = shape
        self.vessel = vessel
        self.box = box
        self.warm = False
        self.used = False
        self.memory_bytes = 0  # when it was warm
        self.on_settled: Callable[[], None] = lambda: None  # it is warm, or somebody's already
        self.on_denial: Callable[[Denial], None] = lambda _: None
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._entrance = entrance
        self._channel, self._theirs = socket.socketpair()
        self._channel.setblocking(False)

    async def begin(self) -> None:
        """Raises: OSError or ValueError where this machine cannot start it; nothing of it is left then."""
        try:
            self.ended = await self.vessel.begin({}, {TOLD: self._theirs.fileno()})
        except (OSError, ValueError):
            self._theirs.close()
            self._close()
            raise
        self._theirs.close()
        self.ended.add_done_callback(lambda _: self._close())
        asyncio.get_running_loop().add_reader(self._channel, self._heard)

    def _heard(self) -> None:
        """It is warm, or it ended before it was."""
        asyncio.get_running_loop().remove_reader(self._channel)
        try:
            self.warm = bool(self._channel.recv(1))
        except OSError:
            self.warm = False
        if self.warm:
            self.memory_bytes = self.box.usage(ProcessTable({}))[0]
            self.on_settled()

    def become(self, order: Order) -> None:
        """It is the instance of ``order`` from now on: the limits first, then the code, then its process is told.

        Raises: OSError, Conflict; ``discard`` it then.
        """
        self.used = True
        asyncio.get_running_loop().remove_reader(self._channel)
        self.on_settled()
        self.box.admit(order)
        if self.box.init is None:
            raise OSError(f"the spare {self.id} has ended")
        self._entrance.let_in(self.id, self.box.init, [item for item in order.shown if item.target in PLACES])
        self._channel.sendall(message(order))
        self._channel.shutdown(socket.SHUT_WR)

    async def discard(self) -> None:
        """End it; returns when it is gone."""
        self.used = True
        self.box.kill()
        await self.ended
        await self.box.gone()
        await self.vessel.clear()
        self.box.close()

    def _close(self) -> None:
        if self._channel.fileno() != -1:
            asyncio.get_running_loop().remove_reader(self._channel)
            self._channel.close()
        self._entrance.leave(self.id)
