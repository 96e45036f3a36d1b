"""A thousand registered functions that nobody calls: memory of each, how long a list takes, how long a restart.

One is registered the usual way; the others are its copies, written into the registry while the platform is down, as an
earlier platform would have left them: a thousand builds would measure the builder.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
import time
import uuid
from pathlib import Path

from bench.bench import Amount, say
from bench.figures import Json, spread
from bench.languages import LANGUAGES
from bench.measures.idle import memory
from bench.platform_under_test import NAMESPACE, running, until
from bench.servers import free_port
from faasioflex.bus import nats
from faasioflex.bus.buckets import FUNCTIONS, REVISIONS, ROUTES, SCALE, STATUS
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import nats as nats_server

LISTS = 5


def measure(data: Path, amount: Amount) -> Json:
    """On a folder of its own."""
    python = LANGUAGES[0]
    with running(data) as platform:
        scaling = {"min_instances": 0, "idle_s": 1}
        platform.deploy("f0", python.name, python.apps[0].files, scaling=scaling)
        platform.to_zero(["f0"])
        time.sleep(amount.settle_s)
        one = memory(platform)
    _fill(data, amount.many)
    began = time.perf_counter()
    with running(data) as platform:
        restart_s = time.perf_counter() - began
        until(lambda: sum(1 for _ in platform.client.list()) == amount.many, f"{amount.many} functions")
        lists = [_list_ms(platform.client.list) for _ in range(LISTS)]
        time.sleep(amount.settle_s)
        all_of_them = memory(platform)
        first = platform.client.call(f"f{amount.many - 1}", content=b"{}")
        if first.status != 200:
            raise RuntimeError(f"one of {amount.many} functions answered {first.status}: {first.body[:300]!r}")
    more_kib = 1024 * (float(str(all_of_them["total_mib"])) - float(str(one["total_mib"]))) / (amount.many - 1)
    return {
        "functions": amount.many,
        "with_one": one,
        "with_all": all_of_them,
        "kib_per_function": round(more_kib, 1),
        "list_ms": spread(lists, 1),
        "restart_to_ready_s": round(restart_s, 2),
    }


def _list_ms(functions) -> float:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    for _ in functions():
        pass
    return 1000 * (time.perf_counter() - began)


def _fill(data: Path, count: int) -> None:
    """Start the registry alone and write the copies."""
    folder = DataFolder.at(data)
    argv = nats_server.write(folder, Settings(data=str(data)), nats_server.new_run(free_port()))
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        asyncio.run(_copy(json.loads(folder.nats_credentials.read_text()), count))
    finally:
        process.terminate()
        process.wait(20)
        nats_server.remove(folder)
    say(f"  {count} functions in the registry")


async def _copy(credentials: dict[str, str], count: int) -> None:
    bus = await nats.connect(credentials["url"], credentials["user"], credentials["password"], name="bench", wait_s=30)
    try:
        functions, revisions = bus.bucket(FUNCTIONS.name, FunctionRecord), bus.bucket(REVISIONS.name, RevisionRecord)
        routes, statuses = bus.bucket(ROUTES.name, FunctionRoute), bus.bucket(STATUS.name, FunctionStatus)
        scales = bus.bucket(SCALE.name, DesiredScale)
        key = f"{NAMESPACE}.f0"
        function, route, status = await functions.get(key), await routes.get(key), await statuses.get(key)
        scale = await scales.get(key)
        if function is None or route is None or status is None or scale is None:
            raise RuntimeError("the function to be copied is not in the registry")
        revision = await revisions.get(function.value.revisions[1])
        if revision is None:
            raise RuntimeError("the revision to be copied is not in the registry")
        for number in range(1, count):
            name, uid = f"f{number}", uuid.uuid4().hex
            key, revision_key = f"{NAMESPACE}.{name}", f"{NAMESPACE}.{name}.1-{uid[:8]}"
            spec = dataclasses.replace(function.value.spec, name=name)
            await revisions.put(revision_key, dataclasses.replace(revision.value, function_uid=uid, name=name))
            await statuses.put(key, dataclasses.replace(status.value, function_uid=uid, change="", change_data={}))
            await routes.put(key, dataclasses.replace(route.value, function_uid=uid))
            await scales.put(key, dataclasses.replace(scale.value, function_uid=uid))  # without it all would start
            made = dataclasses.replace(function.value, uid=uid, spec=spec, revisions={1: revision_key})
            await functions.put(key, made)
    finally:
        await bus.close()
