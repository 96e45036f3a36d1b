"""The connections of users: those that may not go on as they are are ended, and come back with what they may do now."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import structlog

from faasioflex.bus.port import Bus
from faasioflex.identity.badge import Badge
from faasioflex.identity.nats.people import Known
from faasioflex.model.errors import FfxError
from faasioflex.model.messages import USERS_ACCOUNT

log = structlog.get_logger(__name__)
LIST = "$SYS.REQ.SERVER.PING.CONNZ"
PAGE = 512
ANSWER_S = 2.0
SETTLE_S = 0.05  # changes come in groups
LOOK_EVERY_S = 1.0  # also without a change: a connection may have been made while a change came


class Connections:
    """``system``: a bus of the server's own account, for questions about connections and for ending them."""

    def __init__(self, system: Bus, known: Known, clock: Callable[[], float] = time.time) -> None:
        self._system = system
        self._known = known
        self._clock = clock
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._began = clock()
        self.problem: str | None = "connections have not been looked at yet"

    def start(self) -> None:
        self._known.listen(self._changed.set)
        self._task = asyncio.create_task(self._run(), name="connections of users")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._look()
                self.problem = None
            except FfxError as error:
                self.problem = f"connections of users cannot be looked at: {error.message}"
            except Exception:
                log.exception("looking at the connections of users failed")
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._changed.wait()
                    await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                pass
            self._changed.clear()

    async def _look(self) -> None:
        async for server, connection in self._listed():
            if not self._may_stay(connection):
                await self._end(server, int(connection["cid"]))

    def _may_stay(self, connection: dict[str, Any]) -> bool:
        try:
            badge = Badge.parse(str(connection.get("authorized_user", "")))
            since = datetime.fromisoformat(str(connection["start"])[:26].rstrip("Z") + "+00:00").timestamp()
        except (ValueError, KeyError):
            return False
        return self._known.may_stay(badge, since, self._clock(), all_of_it=since < self._began)

    async def _listed(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        offset = 0
        while True:
            wanted = {"acc": USERS_ACCOUNT, "auth": True, "offset": offset, "limit": PAGE, "sort": "cid"}
            answer = json.loads(await self._system.request(LIST, json.dumps(wanted).encode(), ANSWER_S))
            found = answer.get("data", {}).get("connections") or []
            for connection in found:
                yield str(answer["server"]["id"]), connection
            offset += len(found)
            if len(found) < PAGE:
                return

    async def _end(self, server: str, number: int) -> None:
        log.info("a connection of NATS is ended: what it may do is another now", connection=number)
        await self._system.request(f"$SYS.REQ.SERVER.{server}.KICK", json.dumps({"cid": number}).encode(), ANSWER_S)
