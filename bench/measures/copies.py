"""Copies of one registered function, written into the registry of a platform that is down."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import uuid
from pathlib import Path

from bench.platform_under_test import NAMESPACE
from bench.servers import free_port
from faasioflex.bus import nats
from faasioflex.bus.buckets import FUNCTIONS, REVISIONS, ROUTES, SCALE, STATUS
from faasioflex.bus.port import Bus
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import nats as nats_server

AT_ONCE = 16


def fill(data: Path, count: int) -> None:
    """``f1`` to ``f(COUNT-1)`` after ``f0``, which is there and idle."""
    folder = DataFolder.at(data)
    argv = nats_server.write(folder, Settings(data=str(data)), nats_server.new_run(free_port()))
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_fill(json.loads(folder.nats_credentials.read_text()), count))
    finally:
        process.terminate()
        process.wait(20)
        nats_server.remove(folder)


async def _fill(credentials: dict[str, str], count: int) -> None:
    bus = await nats.connect(credentials["url"], credentials["user"], credentials["password"], name="bench", wait_s=30)
    try:
        copy = await _copier(bus)
        numbers = iter(range(1, count))

        async def work() -> None:
            for number in numbers:
                await copy.to(f"f{number}")

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    finally:
        await bus.close()


@dataclasses.dataclass(frozen=True)
class _Copier:
    """Of these records of one function."""

    bus: Bus
    function: FunctionRecord
    revision: RevisionRecord
    route: FunctionRoute
    status: FunctionStatus
    scale: DesiredScale

    async def to(self, name: str) -> None:
        uid = uuid.uuid4().hex
        key, revision_key = f"{NAMESPACE}.{name}", f"{NAMESPACE}.{name}.1-{uid[:8]}"
        of, bus = dataclasses.replace, self.bus
        revision = of(self.revision, function_uid=uid, name=name)
        await bus.bucket(REVISIONS.name, RevisionRecord).put(revision_key, revision)
        status = of(self.status, function_uid=uid, change="", change_data={})
        await bus.bucket(STATUS.name, FunctionStatus).put(key, status)
        await bus.bucket(ROUTES.name, FunctionRoute).put(key, of(self.route, function_uid=uid))
        # without a desired scale all of them would start
        await bus.bucket(SCALE.name, DesiredScale).put(key, of(self.scale, function_uid=uid))
        spec = of(self.function.spec, name=name)
        made = of(self.function, uid=uid, spec=spec, revisions={1: revision_key})
        await bus.bucket(FUNCTIONS.name, FunctionRecord).put(key, made)


async def _copier(bus: Bus) -> _Copier:
    key = f"{NAMESPACE}.f0"
    function = await bus.bucket(FUNCTIONS.name, FunctionRecord).get(key)
    route = await bus.bucket(ROUTES.name, FunctionRoute).get(key)
    status = await bus.bucket(STATUS.name, FunctionStatus).get(key)
    scale = await bus.bucket(SCALE.name, DesiredScale).get(key)
    if function is None or route is None or status is None or scale is None:
        raise RuntimeError("the function to be copied is not in the registry")
    revision = await bus.bucket(REVISIONS.name, RevisionRecord).get(function.value.revisions[1])
    if revision is None:
        raise RuntimeError("the revision to be copied is not in the registry")
    of = dataclasses.replace
    idle = {number: of(one, endpoints=()) for number, one in route.value.revisions.items()}  # the last may still drain
    return _Copier(bus, function.value, revision.value, of(route.value, revisions=idle), status.value, scale.value)
