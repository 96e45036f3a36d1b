"""The connection that comes back: one :class:`Link` after the other, and the gate in front of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog
from nats.aio.subscription import Subscription

from faasioflex.bus.nats.link import Link, LinkLost, OnMessage, open_link
from faasioflex.model.errors import Unavailable

log = structlog.get_logger(__name__)
RECONNECT_S = 0.1  # between attempts, without end; on loopback an attempt costs next to nothing
LIVENESS_S = 0.25


@dataclass(eq=False)
class _Standing:
    """A subscription that is made again on every link."""

    subject: str
    queue: str
    on_message: OnMessage
    current: Subscription | None = field(default=None)


class Connection:
    """``problem`` is None while connected, else why not, in words."""

    def __init__(
        self,
        url: str,
        user: str,
        password: str,
        *,
        name: str,
        inbox_prefix: str,
        timeout_s: float,
        certificate: Path | None = None,
    ) -> None:
        self.timeout_s = timeout_s
        self.problem: str | None = "not connected to NATS yet"
        self._open = partial(
            open_link, url, user, password, name=name, inbox_prefix=inbox_prefix, certificate=certificate
        )
        self._name = name
        self._link: Link | None = None
        self._ready = asyncio.Event()
        self._standing: list[_Standing] = []
        self._task: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        return self._link is not None and self._link.alive

    def deadline(self) -> float:
        """When an operation that begins now gives up, on the loop's clock."""
        return asyncio.get_running_loop().time() + self.timeout_s

    async def start(self, wait_s: float) -> None:
        """Return when connected. Raises Unavailable after ``wait_s``, and gives up then."""
        self._task = asyncio.create_task(self._run(), name=f"nats {self._name}")
        try:
            await self.link(asyncio.get_running_loop().time() + wait_s)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.problem = "the connection to NATS was closed"
        self._ready.set()  # who waits for a link hears that there will be none

    async def link(self, deadline: float | None) -> Link:
        """The link of now, or the next one. Raises Unavailable at ``deadline`` (None waits for ever) and after ``close``."""
        while True:
            link = self._link
            if link is not None and link.alive:
                return link
            if link is not None:
                link.end()
                self._link = None
                self._ready.clear()
            if self._task is None:
                raise Unavailable("The connection to NATS is closed")
            try:
                async with asyncio.timeout_at(deadline):
                    await self._ready.wait()
            except TimeoutError:
                raise Unavailable(f"NATS cannot be reached ({self.problem}); try again shortly") from None

    async def subscribe(self, subject: str, queue: str, on_message: OnMessage) -> Callable[[], Awaitable[None]]:
        """Subscribe now and on every later link; returns when the server has it. Raises Unavailable."""
        made = _Standing(subject, queue, on_message)
        deadline = self.deadline()
        while True:
            link = await self.link(deadline)
            try:
                made.current = await link.subscribe(subject, on_message, queue)
                await link.flush(self.timeout_s)
            except LinkLost:
                continue
            except TimeoutError:
                raise Unavailable("NATS does not answer") from None
            break
        self._standing.append(made)

        async def unsubscribe() -> None:
            if made in self._standing:
                self._standing.remove(made)
            if self._link is not None and made.current is not None:
                await self._link.unsubscribe(made.current)

        return unsubscribe

    async def _run(self) -> None:
        while True:
            try:
                link = await self._open()
            except Exception as error:  # whatever it is, the next attempt may do
                self._away(str(error) or type(error).__name__)
                await asyncio.sleep(RECONNECT_S)
                continue
            try:
                await self._serve(link)
            except Exception as error:
                self._away(str(error) or type(error).__name__)
            finally:
                self._link = None
                self._ready.clear()
                await link.dispose()

    async def _serve(self, link: Link) -> None:
        for standing in list(self._standing):
            standing.current = await link.subscribe(standing.subject, standing.on_message, standing.queue)
        await link.flush(5)
        self._link, self.problem = link, None
        self._ready.set()
        log.info("connected to nats", client=self._name)
        while link.alive:
            try:
                async with asyncio.timeout(LIVENESS_S):
                    await link.ended.wait()
            except TimeoutError:
                continue
        self._away("the connection was lost")

    def _away(self, reason: str) -> None:
        if self.problem is None:
            log.warning("nats is away", client=self._name, reason=reason)
        self.problem = f"NATS is away: {reason}"
