"""For all suites."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from support.room import Room
from support.scheduling import TOGETHER, Files, unit_of

# The gateway's tests serve gRPC and start an Envoy from the same process. gRPC's fork handlers would run in the child before it
# becomes Envoy, and end it now and then. Read when grpc is imported, so it stands here.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# A shell without job control starts what it puts into the background deaf to Ctrl-C, and so would be all that tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What a slow moment of a busy machine says is nothing about the code.
hypothesis.settings.register_profile("suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("suite")

MOST_PROCESSES = 8  # of the suite itself; each may have a platform of its own running
_ROOM = pytest.StashKey[Room]()
_FOLDER = pytest.StashKey[str]()


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """``-n auto``: more than there are cores, for tests wait most of the time."""
    return min(3 * (os.cpu_count() or 2), MOST_PROCESSES)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files | None:
    config.option.loadscopereorder = False  # the order is ours
    return Files(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes the long ones begin first, single tests fill up, and what nothing may run beside comes last."""
    if not hasattr(config, "workerinput"):
        return
    long = {*TOGETHER, *(unit_of(item.nodeid) for item in items if item.get_closest_marker("slow"))}
    shared = {unit_of(item.nodeid) for item in items if not item.get_closest_marker("alone")}

    def turn(item: pytest.Item) -> int:
        unit = unit_of(item.nodeid)
        if unit not in shared:
            return 3
        return 0 if unit in long else 2 if unit == item.nodeid else 1

    items.sort(key=turn)


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """In the first process, for each of the others."""
    stash = node.config.stash
    if _FOLDER not in stash:
        stash[_FOLDER] = tempfile.mkdtemp(prefix="ffx-suite-")
    node.workerinput["room"] = stash[_FOLDER]


def pytest_configure(config: pytest.Config) -> None:
    folder = getattr(config, "workerinput", {}).get("room")
    if folder is not None:
        config.stash[_ROOM] = Room(Path(folder))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Outside of everything else: the time that a test waits for its turn is no part of its timeout."""
    room = item.config.stash.get(_ROOM, None)
    if room is None:
        return (yield)
    with room.taken(alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _ROOM in config.stash:
        config.stash[_ROOM].close()
    if _FOLDER in config.stash:
        shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)
