"""The egress relay put together: it serves launchers, each with any number of sandboxes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from faasioflex.gateway.egress.dial import Dialer, system_resolver
from faasioflex.gateway.egress.envoy_process import EgressEnvoy
from faasioflex.gateway.egress.guest import ServedGuest
from faasioflex.gateway.egress.lookups import Lookups, Resolve
from faasioflex.gateway.egress.policy import Policy
from faasioflex.model.addresses import Allowance
from faasioflex.runtime.egress.messages import DESCRIPTORS_AT_ONCE, LONGEST_BYTES, Denial, pack, to_guest
from faasioflex.runtime.launcher.journal import log
from faasioflex.runtime.own_addresses import OwnAddresses

RESOLVERS = 64  # lookups at once, of all; each may wait long for a name server that a stranger chose
_MESSAGES_AT_ONCE = 64


@dataclass(frozen=True)
class RelaySettings:
    """``socket``: for launchers. ``platform``: the gateway's socket behind FFX_URL. ``envoy``: the program; ``folder``: for its
    configuration, private."""

    socket: Path
    platform: Path
    envoy: Path
    folder: Path
    allowances: tuple[Allowance, ...] = ()

    @property
    def envoy_socket(self) -> Path:
        return self.socket.with_name("egress-envoy.sock")


class Relay:
    def __init__(self, settings: RelaySettings, resolve: Resolve = system_resolver) -> None:
        self._settings = settings
        own = OwnAddresses()
        self._envoy = EgressEnvoy(
            settings.envoy, settings.folder, settings.envoy_socket, own=own, allowances=settings.allowances
        )
        self._policy = Policy(own, settings.allowances)
        self._resolve = resolve
        self._launchers: dict[socket.socket, Launcher] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises: OSError."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(RESOLVERS))
        path = self._settings.socket
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.setblocking(False)
        before = os.umask(0o177)
        try:
            self._listener.bind(str(path))
        finally:
            os.umask(before)
        self._listener.listen(16)
        loop.add_reader(self._listener, self._accept)
        log.info("the egress relay is ready", extra={"socket": str(path)})

    async def stop(self) -> None:
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        for launcher in tuple(self._launchers.values()):
            launcher.close()
        await asyncio.gather(*self._leaving, return_exceptions=True)
        await self._envoy.close()
        self._settings.socket.unlink(missing_ok=True)
        self._settings.envoy_socket.unlink(missing_ok=True)

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._launchers[connection] = Launcher(self, connection)

    # --- for launchers

    def serve(self, content: dict[str, object], tell: Launcher) -> ServedGuest:
        """Raises: ValueError."""
        guest = to_guest(content)
        dialer = Dialer(self._envoy, self._policy, Lookups(self._resolve))
        served = ServedGuest(guest, dialer, self._settings.platform, tell.tell)
        if served.plan.destinations:
            self._envoy.need(guest.id)
        return served

    def end(self, served: ServedGuest) -> None:
        self._envoy.leave(served.guest.id)
        task = asyncio.create_task(served.close())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def lost(self, connection: socket.socket) -> None:
        self._launchers.pop(connection, None)


class Launcher:
    """One connection of a launcher; its end is the end of all its sandboxes here."""

    def __init__(self, relay: Relay, connection: socket.socket) -> None:
        self._relay = relay
        self._connection = connection
        self._guests: dict[str, ServedGuest] = {}
        asyncio.get_running_loop().add_reader(connection, self._read)

    def tell(self, denial: Denial) -> None:
        with suppress(OSError):  # a launcher that does not read hears less
            self._connection.send(pack(denial))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._connection)
        self._connection.close()
        self._relay.lost(self._connection)
        while self._guests:
            self._relay.end(self._guests.popitem()[1])

    def _read(self) -> None:
        for _ in range(_MESSAGES_AT_ONCE):
            try:
                message, descriptors, flags, _ = socket.recv_fds(
                    self._connection, LONGEST_BYTES, DESCRIPTORS_AT_ONCE, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self.close()
                return
            if flags & socket.MSG_CTRUNC:
                log.error("too many open files: some of what a sandbox listens on is not served; raise the limit")
            self._take(json.loads(message), descriptors)

    def _take(self, content: dict[str, object], descriptors: list[int]) -> None:
        if "gone" in content:
            served = self._guests.pop(str(content["gone"]), None)
            if served is not None:
                self._relay.end(served)
            return
        identifier = str(content["id"])
        if identifier not in self._guests:
            try:
                self._guests[identifier] = self._relay.serve(content, self)
            except ValueError as error:
                log.error("a sandbox is not served", extra={"instance": identifier, "error": str(error)})
                for descriptor in descriptors:
                    os.close(descriptor)
                return
        self._guests[identifier].listen(descriptors)


async def serve(settings: RelaySettings, parent: int | None) -> None:
    """Run until SIGTERM or SIGINT, or until ``parent`` (a pid) has ended."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    if parent is not None:
        if os.getppid() != parent:
            return
        loop.add_reader(os.pidfd_open(parent), over.set)
    relay = Relay(settings)
    await relay.start()
    await over.wait()
    await relay.stop()
