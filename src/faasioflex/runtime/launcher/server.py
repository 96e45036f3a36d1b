"""The launcher's unix socket: requests of the manager, and events to it."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from faasioflex.model.errors import BadRequest, FfxError, Unavailable
from faasioflex.runtime.launcher import wire
from faasioflex.runtime.launcher.backlog import Backlog
from faasioflex.runtime.launcher.instances import Instances
from faasioflex.runtime.launcher.jobs import Jobs
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.launcher.wire import Json

if TYPE_CHECKING:
    from faasioflex.runtime.launcher.pool.pool import Pool

_MOST_UNSENT_BYTES = 8 * 1024 * 1024  # of a job's output to a manager that does not read


class Server:
    """Any number of connections; events go to the one that asked last. Losing a connection ends its jobs, nothing else."""

    def __init__(self, mode: str, instances: Instances, jobs: Jobs, backlog: Backlog, pool: Pool | None = None) -> None:
        self._hello = {"mode": mode, "launcher": os.urandom(8).hex(), "pid": os.getpid()}
        self._instances = instances
        self._jobs = jobs
        self._backlog = backlog
        self._pool = pool
        self._reader: Connection | None = None  # who gets the events
        self._server: asyncio.Server | None = None

    async def start(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._accept, path, limit=wire.LONGEST_MESSAGE_BYTES)
        finally:
            os.umask(before)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = peer_uid(writer.get_extra_info("socket"))
        if peer is not None and peer not in (os.geteuid(), 0):
            log.warning("refused a connection of another user", extra={"uid": peer})
            writer.close()
            return
        connection = Connection(self, reader, writer)
        try:
            await connection.serve()
        finally:
            if self._reader is connection:
                self._reader = None

    def operations(self, connection: Connection) -> dict[str, Callable[[Json], Awaitable[object]]]:
        async def hello(_: Json) -> object:
            return {**self._hello, "instances": [wire.of_instance(seen) for seen in self._instances.observe()]}

        async def start(request: Json) -> object:
            return wire.of_instance(await self._instances.start(wire.to_spec(request["spec"])))

        async def stop(request: Json) -> object:
            await self._instances.stop(request["instance"], request["grace_s"])
            return None

        async def give(request: Json) -> object:
            self._instances.give(request["instance"], wire.to_files(request["files"]))
            return None

        async def resize(request: Json) -> object:
            await self._instances.resize(request["instance"], request["memory_bytes"], request["cpu"])
            return None

        async def freeze(request: Json) -> object:
            await self._instances.freeze(request["instance"])
            return None

        async def thaw(request: Json) -> object:
            await self._instances.thaw(request["instance"])
            return None

        async def observe(_: Json) -> object:
            return [wire.of_instance(seen) for seen in self._instances.observe()]

        async def usage(_: Json) -> object:
            return self._instances.usage()

        async def pool(_: Json) -> object:
            return self._pool.figures() if self._pool is not None else None

        async def run(request: Json) -> object:
            def lines(some: list[str]) -> None:
                connection.send({"id": request["id"], "lines": some}, optional=True)

            return wire.of_job_ended(await self._jobs.run(wire.to_job(request["job"]), lines))

        async def events(_: Json) -> object:
            if self._reader is not None:
                self._reader.close()
            self._reader = connection
            self._backlog.rewind()
            connection.push_events(self._backlog)
            return await hello({})

        return {
            "hello": hello,
            "start": start,
            "stop": stop,
            "give": give,
            "resize": resize,
            "freeze": freeze,
            "thaw": thaw,
            "observe": observe,
            "usage": usage,
            "pool": pool,
            "run": run,
            "events": events,
        }


class Connection:
    def __init__(self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._operations = server.operations(self)
        self._acknowledged: asyncio.Queue[int] = asyncio.Queue()
        self._lasting: set[asyncio.Task[None]] = set()  # go on when the connection is lost: starts and stops
        self._bound: set[asyncio.Task[None]] = set()  # end with the connection: jobs, the pushing of events

    async def serve(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(wire.unpack(line))
        except (ConnectionError, ValueError) as error:
            log.warning("a connection ended badly", extra={"error": str(error)})
        finally:
            for task in tuple(self._bound):
                task.cancel()
            self.close()

    def _take(self, request: Json) -> None:
        if request.get("op") == "ack":
            self._acknowledged.put_nowait(request["upto"])
            return
        kept = self._bound if request.get("op") == "run" else self._lasting
        self._keep(kept, self._answer(request))

    def _keep(self, tasks: set[asyncio.Task[None]], work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _answer(self, request: Json) -> None:
        identifier = request.get("id")
        try:
            operation = self._operations.get(request.get("op", ""))
            if operation is None:
                raise BadRequest(f"the launcher does not know {request.get('op')!r}")
            self.send({"id": identifier, "ok": await operation(request)})
        except FfxError as error:
            self.send({"id": identifier, "error": wire.of_error(error)})
        except (KeyError, TypeError, ValueError) as error:
            self.send({"id": identifier, "error": wire.of_error(BadRequest(f"not a request: {error!r}"))})
        except OSError as error:
            log.exception("a request failed", extra={"op": request.get("op")})
            self.send({"id": identifier, "error": wire.of_error(Unavailable(f"the launcher failed: {error}"))})

    def send(self, message: Json, *, optional: bool = False) -> None:
        """What is ``optional`` is left out where the other side does not keep up."""
        if optional and self._writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            return
        if not self._writer.is_closing():
            self._writer.write(wire.pack(message))

    def push_events(self, backlog: Backlog) -> None:
        self._keep(self._bound, self._push(backlog))

    async def _push(self, backlog: Backlog) -> None:
        """One batch on its way at a time."""
        with suppress(ConnectionError):
            while not self._writer.is_closing():
                records, upto = await backlog.batch()
                self.send({"events": records, "upto": upto})
                await self._writer.drain()
                acknowledged = 0
                while acknowledged < upto:
                    acknowledged = await self._acknowledged.get()
                    backlog.acknowledge(acknowledged)

    def close(self) -> None:
        for task in tuple(self._bound):
            task.cancel()
        self._writer.close()


def peer_uid(connection: socket.socket) -> int | None:
    """Who is at the other end; None where the system does not say so this way (the socket's mode 0600 holds there)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
