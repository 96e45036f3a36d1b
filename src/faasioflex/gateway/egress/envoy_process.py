"""The egress Envoy as our child: started at the first need, again when it dies, ended when nobody has needed it for long."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from faasioflex.gateway.egress import envoy
from faasioflex.gateway.egress.pipe import PIECE_BYTES
from faasioflex.gateway.envoy.proto import Json
from faasioflex.model.addresses import Allowance
from faasioflex.model.egress import Address
from faasioflex.runtime import linux
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.own_addresses import OwnAddresses

IDLE_S = 600.0
READY_WITHIN_S = 10.0
LOOK_EVERY_S = 5.0
_POLL_S = 0.01
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 2.0


class EnvoyAway(Exception):
    """It does not answer in time."""


class EgressEnvoy:
    """``program`` is Envoy's path, ``folder`` (0700) takes its configuration, ``socket`` is where it takes CONNECT.

    Every ``look_every_s`` it is looked whether it is idle, and whether the host's own addresses are others.
    """

    def __init__(
        self,
        program: Path,
        folder: Path,
        socket: Path,
        *,
        own: OwnAddresses,
        allowances: Iterable[Allowance],
        idle_s: float = IDLE_S,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self.socket = socket
        self._program = program
        self._folder = folder
        self._own = own
        self._allowances = tuple(allowances)
        self._idle_s = idle_s
        self._look_every_s = look_every_s
        self._told: frozenset[Address] = frozenset()
        self._needed_at = 0.0
        self._users: set[str] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        linux.load()

    def need(self, user: str | None = None) -> None:
        """Something wants it now; a ``user`` wants it until :meth:`leave`."""
        self._needed_at = time.monotonic()
        if user is not None:
            self._users.add(user)
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep())

    def leave(self, user: str) -> None:
        self._users.discard(user)

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection to it. Raises: EnvoyAway."""
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while True:
                    self.need()
                    await self._ready.wait()
                    try:
                        return await asyncio.open_unix_connection(self.socket, limit=PIECE_BYTES)
                    except OSError:
                        await asyncio.sleep(_POLL_S)  # it has just died: the next is on its way
        except TimeoutError:
            raise EnvoyAway(f"the egress Envoy is not there after {READY_WITHIN_S:g} s") from None

    async def close(self) -> None:
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    @property
    def _idle(self) -> bool:
        return not self._users and time.monotonic() - self._needed_at >= self._idle_s

    async def _keep(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while not self._idle:
            began = time.monotonic()
            try:
                ended = await self._live()
            except OSError as error:
                ended = str(error)
            if ended is None:
                continue  # idle
            log.warning("the egress Envoy has ended", extra={"how": ended})
            pause_s = _FIRST_PAUSE_S if time.monotonic() - began > 10 else min(pause_s * 2, _LONGEST_PAUSE_S)
            await asyncio.sleep(pause_s)

    async def _live(self) -> str | None:
        """One life of it; returns how it ended, None where we ended it because it was idle."""
        config = self._write()
        self.socket.unlink(missing_ok=True)
        parent = os.getpid()
        process = await asyncio.create_subprocess_exec(
            *(str(self._program), "--config-path", str(config), "--use-dynamic-base-id", "--disable-hot-restart"),
            *("--concurrency", "1", "--log-level", "warning", "--drain-time-s", "86400"),
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "FFX_PART": "egress-envoy"},
            preexec_fn=lambda: linux.die_with_parent(signal.SIGKILL, parent),
        )
        log.info("the egress Envoy runs", extra={"pid": process.pid})
        ended = asyncio.create_task(process.wait())
        try:
            await self._await_ready(ended)
            while not ended.done():
                await asyncio.wait({ended}, timeout=self._look_every_s)
                if self._idle:
                    return None
                if self._own.now() != self._told:
                    self._write()
            return f"exit code {ended.result()}"
        finally:
            self._ready.clear()
            with suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(ended)

    async def _await_ready(self, ended: asyncio.Task[int]) -> None:
        while not ended.done():
            with suppress(OSError):
                _, writer = await asyncio.open_unix_connection(self.socket)
                writer.close()
                self._ready.set()
                return
            await asyncio.sleep(_POLL_S)

    def _write(self) -> Path:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        listeners, config = self._folder / "listeners.json", self._folder / "envoy.json"
        self._told = self._own.now()
        _replace(listeners, envoy.listeners(self.socket, self._told, self._allowances, str(time.time_ns())))
        _replace(config, envoy.bootstrap(listeners))
        return config


def _replace(path: Path, content: Json) -> None:
    fresh = path.with_suffix(".new")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content, indent=1))
    fresh.replace(path)
