"""What may grow: memory and descriptors of each process, sandboxes, control groups, files, keys of the registry."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path

from bench.platform_under_test import Platform
from faasioflex.bus import nats
from faasioflex.runtime.processes import ProcessTable
from faasioflex.runtime.sandbox.cgroup import base_name

MIB = 1024 * 1024
GROUPS = Path("/sys/fs/cgroup")
Figures = dict[str, float]


def look(platform: Platform) -> Figures:
    """All of them now. Names say the unit."""
    pids = platform.pids()
    found: Figures = {}
    for name, bytes_ in platform.pss_bytes("Pss_Anon").items():
        found[f"memory of {name}, MiB"] = round(bytes_ / MIB, 1)
    for name, pid in pids.items():
        found[f"descriptors of {name}"] = len(os.listdir(f"/proc/{pid}/fd"))
    found["sandboxes"] = len(ProcessTable.scan().children(pids["launcher"]))
    found["control groups"] = sum(1 for _ in _groups(platform.data))
    found["files of a run"] = sum(1 for _ in _files(platform.folder.run))
    found["builds"] = sum(
        1 for path in _folders(platform.folder.builds) if path.parent.parent == platform.folder.builds
    )
    found |= asyncio.run(_streams(json.loads(platform.folder.nats_credentials.read_text())))
    return found


def _groups(data: Path) -> Iterator[Path]:
    """Below the one of this installation, wherever that is."""
    name = base_name(data)
    return (path for path in _folders(GROUPS) if any(parent.name == name for parent in path.parents))


def _folders(folder: Path) -> Iterator[Path]:
    """All below it. Those that go meanwhile are no error, as they are to ``Path.glob``."""
    for where, folders, _ in os.walk(folder):
        yield from (Path(where, name) for name in folders)


def _files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        yield from (Path(where, name) for name in (*folders, *names))


async def _streams(credentials: dict[str, str]) -> Figures:
    bus = await nats.connect(credentials["url"], credentials["user"], credentials["password"], name="soak", wait_s=30)
    try:
        answer = await bus.jetstream.api("STREAM.LIST", {})
    finally:
        await bus.close()
    found: Figures = {}
    for stream in answer["streams"]:
        name, state = stream["config"]["name"], stream["state"]
        if name.startswith(("KV_", "OBJ_")):
            found[f"keys of {name.partition('_')[2]}"] = state.get("num_subjects", 0)
    found["consumers"] = sum(stream["state"]["consumer_count"] for stream in answer["streams"])
    found["queued calls"] = sum(
        stream["state"]["messages"] for stream in answer["streams"] if stream["config"]["name"] == "FFX_CALLS"
    )
    return found
