"""The sandbox isolation: what all boxes of a launcher share, and the making of one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from faasioflex.model.errors import StartFailed
from faasioflex.runtime import linux
from faasioflex.runtime.children import Children
from faasioflex.runtime.egress.link import Link
from faasioflex.runtime.egress.messages import Denial
from faasioflex.runtime.isolation import Order
from faasioflex.runtime.sandbox import cgroups, entrance, seccomp, system
from faasioflex.runtime.sandbox.box import OWN_PROCESSES, Bubblewrap, SandboxBox, group_memory_bytes
from faasioflex.runtime.sandbox.cgroup import Group, Groups, Limit, clear
from faasioflex.runtime.sandbox.command import View
from faasioflex.runtime.sandbox.network import SandboxNetwork
from faasioflex.runtime.sandbox.program import locate
from faasioflex.runtime.sandbox.uids import UidBlock

USUAL_WEIGHT = 100
JOB_WEIGHT = 25  # a build takes all the CPU that is free, and little of what functions want


class Sandboxes:
    """Linux only. ``state`` is a private folder of the launcher's, kept from start to start; ``link`` leads to the egress relay,
    without which sandboxes have no network at all.

    Raises: OSError where this machine has no bubblewrap or no seccomp program.
    """

    warning = None

    def __init__(self, data: Path, state: Path, children: Children, link: Link | None = None) -> None:
        linux.load()
        self._children = children
        self._link = link
        self.relayed = link is not None
        state.mkdir(parents=True, exist_ok=True)
        self._record = state / "cgroups.json"
        self._clear_groups_of_before()
        self.groups: Groups | None = cgroups.find(data)
        if self.groups is not None:
            cgroups.sweep(self.groups)
        self._record.write_text(json.dumps([str(base) for base in self.groups.bases()] if self.groups else []))
        self.needs_process_table = self.groups is None or "memory" not in self.groups.controllers
        seccomp.program_files(memory_is_counted=not self.needs_process_table)
        program = locate()
        self._bubblewrap = Bubblewrap(os.open(program.path, os.O_PATH | os.O_CLOEXEC), program.libraries)
        self._uids = UidBlock.claim() if os.geteuid() == 0 else None
        self._etc = system.make_etc(state / "etc")
        self.entrance = entrance.find(state / "rooms")
        self._dying: list[tuple[Group | None, int | None]] = []

    def box(self, order: Order, on_denial: Callable[[Denial], None]) -> SandboxBox:
        """Raises: StartFailed where uids or control groups cannot be had, or for an egress list that cannot be read."""
        view = View(
            argv=order.argv,
            env=order.env,
            cwd=order.cwd,
            etc=self._etc,
            shown=tuple(item for item in order.shown if item.writable or not system.is_system(item.source)),
            tmp_bytes=order.disk_bytes,
        )
        network = None
        if order.guest is not None and self._link is not None:
            try:
                network = SandboxNetwork(order.guest, self._link, self._children, on_denial)
            except ValueError as error:
                raise StartFailed(f"network.egress cannot be read: {error}") from error
        limit = Limit(
            group_memory_bytes(order.memory_bytes, order.disk_bytes),
            order.processes + OWN_PROCESSES,
            JOB_WEIGHT if order.cpu is None else USUAL_WEIGHT,
        )
        try:
            uid = self._uids.take() if self._uids else None
            group = self.groups.make(order.id, limit) if self.groups else None
        except OSError as error:
            raise StartFailed(f"no sandbox can be made on this machine now: {error}") from error
        return SandboxBox(
            order,
            view,
            bubblewrap=self._bubblewrap,
            children=self._children,
            uid=uid,
            group=group,
            release=lambda: self._release(group, uid),
            network=network,
        )

    def _release(self, group: Group | None, uid: int | None) -> None:
        self._dying.append((group, uid))
        self.tidy()

    def tidy(self) -> None:
        """A control group whose last process was still on its way out when its box was closed goes now."""
        left: list[tuple[Group | None, int | None]] = []
        for group, uid in self._dying:
            if group is not None and not group.remove():
                left.append((group, uid))
            elif uid is not None and self._uids is not None:
                self._uids.give_back(uid)
        self._dying = left

    def close(self) -> None:
        self.tidy()
        for base in self.groups.bases() if self.groups else []:
            clear(base)
        if self._uids is not None:
            self._uids.close()
        os.close(self._bubblewrap.program)

    def _clear_groups_of_before(self) -> None:
        try:
            bases = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return
        for base in bases:
            clear(Path(base))
