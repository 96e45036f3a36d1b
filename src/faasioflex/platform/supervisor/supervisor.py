"""The life of an embedded platform: take the folder, start its processes in order, keep them, end them in order."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from faasioflex.model.errors import Unavailable
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_own, make_private
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import first_admin, nats, tls
from faasioflex.platform.supervisor.announcement import Announcement, gateway_url, issuer_url
from faasioflex.platform.supervisor.child import Child, ChildSpec
from faasioflex.platform.supervisor.children import Plan, plan
from faasioflex.platform.supervisor.console import Console
from faasioflex.platform.supervisor.drain import drain_gateway
from faasioflex.platform.supervisor.part_log import PartLog
from faasioflex.platform.supervisor.ports import GatewayPort, nats_port, reached_at
from faasioflex.platform.supervisor.probe import request

POLL_S = 0.02
DEATHS_AT_START = 5  # a part that dies this often before it ever served will not serve
RENEWAL_CHECK_S = 12 * 3600.0


class StartFailed(Unavailable):
    """A part does not come up; the message ends with the last lines that it wrote."""

    code, title = "platform-start-failed", "The platform does not start"


class Supervisor:
    """Use once: ``await run()`` in the main thread, with the folder's lock held and its leftovers gone."""

    def __init__(self, settings: Settings, host: str, console: Console) -> None:
        self._settings = settings
        self._folder: DataFolder = settings.folder
        self._host = host
        self._console = console
        self._children: dict[str, Child] = {}
        self._port = GatewayPort(self._folder)
        self._announcement: Announcement | None = None
        self._reloading: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Until SIGTERM or SIGINT. ``on_ready`` gets the URL. Raises FfxError where it does not start; everything is ended then too."""
        self._take_signals()
        began = time.monotonic()
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stop.wait())
        renewing = asyncio.create_task(self._renew())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                url = starting.result()
                self._console.say(f"Ready in {time.monotonic() - began:.1f} s: {url}", url=url)
                on_ready(url)
                await stopping
        finally:
            for task in (starting, stopping, renewing):
                task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await starting
            await self._end()

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop, number)

    def _asked_to_stop(self, number: signal.Signals) -> None:
        if not self._stop.is_set():
            self._console.say(f"Stopping ({number.name}); once more stops at once")
            self._stop.set()
        else:
            self._hurry.set()

    def _reap(self) -> None:
        for child in self._children.values():
            child.reap()

    async def _start(self) -> str:
        """Everything in order; returns the gateway's URL when all of it serves."""
        settings, folder = self._settings, self._folder
        port = self._port.reserve(self._host, settings.port)
        certificate = tls.prepare(settings, self._host)
        run = nats.new_run(nats_port(folder, settings.nats_host), settings.nats_host, certificate)
        secure = certificate is not None
        url = gateway_url(self._host, port, secure=secure)
        outside = self._settings.url(gateway_url(reached_at(self._host), port, secure=secure))
        self._folder.admin_token.unlink(missing_ok=True)
        password = first_admin.prepare(settings)
        authority = certificate.authority if certificate else None
        parts: Plan = plan(settings, self._host, port, certificate, run, url=outside)
        await self._bring_up(parts.store)
        self._reloading = asyncio.create_task(nats.reload_when_replaced(run, lambda: self._children["nats"].pid))
        await self._bring_up(*parts.parts)
        await self._bring_up(parts.gateway)
        await self._until("the platform", self._platform_ready, parts.parts)
        self._announcement = Announcement(url, run.url, issuer_url(outside), authority)
        self._announce()
        if password is not None:
            self._console.show(first_admin.sentence(outside, settings.admin_email, password))
        return url

    async def _bring_up(self, *specs: ChildSpec) -> None:
        for spec in specs:
            log = PartLog(
                self._folder.log / f"{spec.name}.log",
                self._settings.log_file_bytes,
                self._settings.log_files,
                self._console.listener(spec.name),
            )
            child = Child(spec, self._folder.root, log, self._announce, self._report_death)
            self._children[spec.name] = child
            child.start()
        for spec in specs:
            began = time.monotonic()
            await self._until(spec.name, spec.ready, (spec,))
            self._console.say(
                f"  {spec.name:<9} pid {self._children[spec.name].pid}", waited_s=round(time.monotonic() - began, 3)
            )

    async def _until(self, what: str, ready: Callable[[], Awaitable[bool]], specs: Sequence[ChildSpec]) -> None:
        deadline = time.monotonic() + self._settings.start_timeout_s
        while not await ready():
            for spec in specs:
                if self._children[spec.name].deaths >= DEATHS_AT_START:
                    raise StartFailed(f"{spec.name} does not start. {self._last_words(spec.name)}")
            if time.monotonic() > deadline:
                why = await self._platform_problem()
                words = " ".join(self._last_words(spec.name) for spec in specs)
                raise StartFailed(f"{what} is not ready after {self._settings.start_timeout_s:g} s. {why}{words}")
            await asyncio.sleep(POLL_S)

    async def _platform_ready(self) -> bool:
        answer = await request(self._folder.api_socket, "/readyz")
        return answer is not None and answer.status == 200 and self._folder.admin_token.exists()

    async def _platform_problem(self) -> str:
        answer = await request(self._folder.api_socket, "/readyz")
        return "" if answer is None else answer.body.decode(errors="replace")[:1000] + " "

    def _last_words(self, name: str) -> str:
        lines = self._children[name].log.last_lines()
        said = "\n  ".join(lines) if lines else "(nothing)"
        return f"The last lines of {self._folder.log / name}.log:\n  {said}\n"

    def _report_death(self, name: str, how: str) -> None:
        if not self._stop.is_set():
            last = self._children[name].log.last_lines()[-1:]
            said = f" (its last line: {last[0][:300]})" if last else ""
            self._console.say(f"{name} {how}{said}", level="warning", process=name)

    def _announce(self) -> None:
        if self._announcement is not None and not self._stop.is_set():
            self._announcement.write(
                self._folder, {name: child.pid for name, child in self._children.items() if child.pid is not None}
            )

    async def _renew(self) -> None:
        """A certificate of our own is made anew in time; Envoy sees the file change."""
        while self._settings.tls == "self-signed":
            await asyncio.sleep(RENEWAL_CHECK_S)
            try:
                tls.prepare(self._settings, self._host)
            except Unavailable as error:
                self._console.say(error.message, level="error")

    async def _end(self) -> None:
        """The gateway first, so that nothing new comes in; what all depend on last. Within 15 s, see ``children.STOP_S``."""
        self._stop.set()
        self._folder.platform_json.unlink(missing_ok=True)
        if self._reloading is not None:
            self._reloading.cancel()
        if "envoy" in self._children and self._children["envoy"].pid is not None:
            await drain_gateway(self._folder.envoy_admin_socket, self._hurry)
        for names in (("envoy",), ("invoker", "control"), ("launcher", "egress"), ("nats",)):
            present = [self._children[name] for name in names if name in self._children]
            await asyncio.gather(*(child.stop(self._hurry) for child in present))
        self._port.close()
        nats.remove(self._folder)
        self._folder.admin_token.unlink(missing_ok=True)
        self._console.say("Stopped")


def prepare_folder(folder: DataFolder) -> None:
    """Make what a start needs, all of it 0700. Raises Unavailable where the folder cannot be had."""
    try:
        for path in (
            folder.root,
            folder.run,
            folder.log,
            folder.nats,
            folder.envoy,
            folder.builds,
            folder.cache,
            folder.identity,
        ):
            make_private(path)
        make_own(folder.sockets)
        make_private(folder.instance_sockets)
    except OSError as error:
        raise Unavailable(
            f"The data folder {folder.root} cannot be used: {error.strerror}: {error.filename}"
        ) from error
