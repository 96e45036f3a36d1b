"""One bubblewrap sandbox: started, limited, signalled, judged."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from faasioflex.runtime.children import Children
from faasioflex.runtime.isolation import Order, Verdict, cpu_is_fixed, over_memory, uses_more
from faasioflex.runtime.processes import ProcessTable, memory_of, pid_inside
from faasioflex.runtime.sandbox import seccomp
from faasioflex.runtime.sandbox.cgroup import Group
from faasioflex.runtime.sandbox.command import SHARED_MEMORY_BYTES, View, arguments
from faasioflex.runtime.sandbox.files import too_many_files
from faasioflex.runtime.sandbox.freezing import Stopped
from faasioflex.runtime.sandbox.network import SandboxNetwork
from faasioflex.runtime.sandbox.options import as_arguments, in_memory
from faasioflex.runtime.sandbox.staging import Preparation, staged
from faasioflex.runtime.sandbox.status import StatusPipe
from faasioflex.runtime.sandbox.writable import hand_over
from faasioflex.runtime.spawn import Spawn, spawn
from faasioflex.runtime.verdicts import of_exit, of_signal

OWN_PROCESSES = 2  # bubblewrap's monitor outside and its init inside
COMMAND_PID = 2  # of the command in its namespace: init forks it first
_LONGEST_DYING_S = 10.0


@dataclass(frozen=True)
class Bubblewrap:
    """The program: an O_PATH descriptor, and the folder of the libraries in its wheel."""

    program: int
    libraries: Path


class SandboxBox:
    """``uid`` is its host uid, or None where all run as the platform's user; ``group`` its control group, or None."""

    def __init__(
        self,
        order: Order,
        view: View,
        *,
        bubblewrap: Bubblewrap,
        children: Children,
        uid: int | None,
        group: Group | None,
        release: Callable[[], None],
        network: SandboxNetwork | None = None,
    ) -> None:
        self._order = order
        self._view = view
        self._bubblewrap = bubblewrap
        self._children = children
        self._group = group
        self.uid = uid
        self._release = release
        self._network = network
        self._owners: list[tuple[Path, int, int]] = []  # of writable folders, before they were the job's
        self._counted = group is not None and group.memory_bytes() is not None
        self._status = StatusPipe()
        self._gate: int | None = None
        self._outer: int | None = None
        self._init: int | None = None
        self._init_handle: int | None = None  # a pidfd: its number is nobody else's while we hold it
        self._killed = False
        self._memory_bytes, self._cpu = order.memory_bytes, order.cpu
        self._patient = order.patient and uid is not None  # a plain user could not take it back
        self._started = False
        self._stopped: Stopped | None = None  # while it is frozen, where its group has no freezer

    async def begin(self, handed: Mapping[int, int]) -> asyncio.Future[int]:
        sources = [*self._view.sources, self._bubblewrap.libraries]
        paths = [str(source) for source in sources] if self.uid is None else [staged(n) for n in range(len(sources))]
        await self._lend_folders()
        with ExitStack() as ours:
            kept = seccomp.open_programs(memory_is_counted=self._counted)
            filters = tuple(kept)
            gate = None
            if self.uid is None or self._network is not None:
                gate, self._gate = os.pipe()
                kept.append(gate)
            ours.callback(_close_all, kept)
            hosts = None
            if self._network is not None and self._network.hosts is not None:
                hosts = in_memory(self._network.hosts.encode())
                kept.append(hosts)
            made = arguments(self._view, paths[:-1], filters, self._status.writing, gate, hosts=hosts)
            options = in_memory(as_arguments(made))
            kept.append(options)
            self._outer = spawn(
                Spawn(
                    executable=self._bubblewrap.program,
                    argv=["bwrap", "--args", str(options), "--", *self._view.argv],
                    env={**self._marks(), "LD_LIBRARY_PATH": paths[-1]},
                    handed=handed,
                    kept=[*kept, self._status.writing],
                    prepare=self._preparation(sources),
                )
            )
        self._status.listen()
        ended = self._children.ended(self._outer)
        try:
            await self._hold_init()
        except OSError:
            self.kill()
            await ended
            await self.gone()
            raise
        return ended

    def _marks(self) -> dict[str, str]:
        """By these a later launcher finds bubblewrap itself; nothing that users set is in its environment."""
        return {name: self._order.env[name] for name in ("FFX_DATA", "FFX_INSTANCE")}

    async def _lend_folders(self) -> None:
        if self.uid is None:
            return
        for item in self._view.shown:
            if item.writable:
                owner = item.source.stat()
                self._owners.append((item.source, owner.st_uid, owner.st_gid))
                await hand_over(item.source, self.uid, self.uid)

    def _preparation(self, sources: list[Path]) -> Preparation:
        return Preparation(
            launcher=os.getpid(),
            join=self._group.join_files() if self._group else [],
            sources=sources,
            uid=self.uid,
            processes=self._order.processes + OWN_PROCESSES,
            disk_bytes=self._order.disk_bytes,
            patient=self._patient,
        )

    async def _hold_init(self) -> None:
        """Get hold of the sandbox's init, which waits at the gate: until its network is set up, and as a plain user because
        only now does it have a namespace in which RLIMIT_NPROC counts its own processes and not all of the user's."""
        self._init = await self._status.init
        try:
            if self._init is not None:
                self._init_handle = os.pidfd_open(self._init)
                if self.uid is None:
                    most = self._order.processes + OWN_PROCESSES
                    resource.prlimit(self._init, resource.RLIMIT_NPROC, (most, most))
                if self._network is not None:
                    await self._network.open(self._init)
                if self._gate is not None:
                    os.write(self._gate, b"x")
        except (ProcessLookupError, BrokenPipeError):
            return  # it has ended already; its exit tells
        except OSError:
            self.kill()  # before the gate is closed, which opens it
            raise
        finally:
            self._close_gate()

    def _close_gate(self) -> None:
        if self._gate is not None:
            os.close(self._gate)
            self._gate = None

    def ready(self) -> None:
        self._started = True
        if self._group is not None and self._cpu is not None:
            self._group.limit_cpu(self._cpu)

    def resize(self, memory_bytes: int, cpu: float) -> None:
        if cpu != self._cpu and not (self._group is not None and self._group.holds_cpu):
            raise cpu_is_fixed()
        if memory_bytes != self._memory_bytes:
            self._resize_memory(memory_bytes)
        if cpu != self._cpu:
            self._cpu = cpu
            if self._started and self._group is not None:
                self._group.limit_cpu(cpu)

    def _resize_memory(self, memory_bytes: int) -> None:
        used = self._process_bytes(memory_bytes)
        if used > memory_bytes:
            raise uses_more(used, memory_bytes)
        if self._group is not None and self._counted:
            most, used = group_memory_bytes(memory_bytes, self._order.disk_bytes), self._group.memory_bytes() or 0
            if used > most:  # its files included
                raise uses_more(used, most)
            try:
                self._group.limit_memory(most)
            except OSError as error:
                raise uses_more(used, most) from error
        self._memory_bytes = memory_bytes

    @property
    def init(self) -> int | None:
        """A pidfd of the sandbox's first process: unlike its pid, it never means another one."""
        return self._init_handle

    def admit(self, order: Order) -> None:
        """A sandbox that was started for nobody has the limits of ``order`` from now on; its ``disk_bytes`` and ``processes``
        are what it was started with. Raises: Conflict where it uses more memory already; OSError."""
        if order.memory_bytes != self._memory_bytes:
            self._resize_memory(order.memory_bytes)
        self._order, self._cpu = order, order.cpu
        self.hurry()

    def hurry(self) -> None:
        """One that was patient takes its share of the CPU like others from now on. Once."""
        if not self._patient:
            return
        self._patient = False
        for pid in {*self._inside(), *(one for one in (self._outer, self._init) if one is not None)}:
            with suppress(OSError):  # a thread that has ended
                for thread in os.listdir(f"/proc/{pid}/task"):
                    os.sched_setscheduler(int(thread), os.SCHED_OTHER, os.sched_param(0))

    def freeze(self) -> None:
        if self._stopped is None and not (self._group is not None and self._group.freeze(frozen=True)):
            self._stopped = Stopped(self._inside)

    def thaw(self) -> None:
        if self._stopped is not None:
            self._stopped.go_on()
            self._stopped = None
        elif self._group is not None:
            self._group.freeze(frozen=False)

    def _inside(self) -> set[int]:
        """All but bubblewrap's own two, which only wait."""
        if self._group is not None:
            return self._group.processes() - {self._outer, self._init}
        table = ProcessTable.scan()
        return {process.pid for process in table.tree(self._init or 0)} - {self._init}

    def terminate(self) -> None:
        command = self._command()
        if command is None:
            self.kill()
            return
        try:
            handle = os.pidfd_open(command)
        except ProcessLookupError:
            return
        try:
            if pid_inside(command) == COMMAND_PID:  # the number was not given to another one in between
                signal.pidfd_send_signal(handle, signal.SIGTERM)
        except ProcessLookupError:
            return
        finally:
            os.close(handle)

    def _command(self) -> int | None:
        if self._init is None:
            return None
        below = ProcessTable.scan().children(self._init)
        return next((pid for pid in below if pid_inside(pid) == COMMAND_PID), None)

    def kill(self) -> None:
        """The init's end is the end of its whole pid namespace; bubblewrap outside follows."""
        self._killed = True
        if self._init_handle is not None:
            try:
                signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
            except ProcessLookupError:
                pass
            else:
                return
        if self._outer is not None:
            try:
                os.kill(self._outer, signal.SIGKILL)
            except ProcessLookupError:
                return

    def excess(self, table: ProcessTable) -> str | None:
        if self._init is not None and (many := too_many_files(self._init, self._view.memory_places)):
            return many
        limit = self._memory_bytes
        if self._group is not None and self._counted:
            if self._group.killed_for_memory():
                return over_memory(limit)
            if (self._group.total_bytes() or 0) <= limit:
                return None
            used = self._group.anonymous_bytes() or 0
        else:
            used = memory_of(table.tree(self._outer or 0), limit)
        return over_memory(limit) if used > limit else None

    def _process_bytes(self, limit_bytes: int) -> int:
        if self._group is not None and self._counted:
            return self._group.anonymous_bytes() or 0
        return memory_of(ProcessTable.scan().tree(self._outer or 0), limit_bytes)

    def usage(self, table: ProcessTable) -> tuple[int, float]:
        tree = table.tree(self._outer or 0)
        memory = self._group.memory_bytes() if self._group else None
        cpu_s = self._group.cpu_s() if self._group else None
        return (
            memory_of(tree) if memory is None else memory,
            sum(process.cpu_s for process in tree) if cpu_s is None else cpu_s,
        )

    async def gone(self) -> None:
        """Also gives writable folders back to whom they belonged."""
        self._status.read()
        await self._init_gone()
        while self._owners:
            folder, uid, gid = self._owners.pop()
            if folder.is_dir():
                await hand_over(folder, uid, gid)

    async def _init_gone(self) -> None:
        if self._init_handle is None:
            return
        loop = asyncio.get_running_loop()
        dead = asyncio.Event()
        loop.add_reader(self._init_handle, dead.set)
        try:
            signal.pidfd_send_signal(self._init_handle, signal.SIGKILL)
            await asyncio.wait_for(dead.wait(), _LONGEST_DYING_S)
        except ProcessLookupError:
            return
        finally:
            loop.remove_reader(self._init_handle)

    def verdict(self, exit_code: int) -> Verdict:
        if self._group is not None and self._group.killed_for_memory():
            return Verdict("out-of-memory", over_memory(self._memory_bytes), None)
        if self._status.exit_code is not None:
            return of_exit(self._status.exit_code)
        if exit_code < 0 or self._killed:
            return of_signal(max(-exit_code, signal.SIGKILL))
        return Verdict("exit", "its sandbox could not be set up", None)

    def close(self) -> None:
        if self._stopped is not None:
            self._stopped.close()
        self._status.close()
        self._close_gate()
        if self._network is not None:
            self._network.close()
        if self._init_handle is not None:
            os.close(self._init_handle)
            self._init_handle = None
        self._release()


def group_memory_bytes(memory_bytes: int, disk_bytes: int) -> int:
    """The limit of the group: what is in its tmpfs counts as well."""
    return memory_bytes + disk_bytes + SHARED_MEMORY_BYTES


def _close_all(descriptors: list[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
