"""One platform for the whole suite, under attack by a function in each language; whole after every test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from faasioflex.runtime import toolchain
from faasioflex.runtime.language import interpreter, language, languages
from support.hostile_platform import FUNCTIONS, Attacker, Found, WalledPlatform, cgroup_folders, settle, source
from support.platform_process import processes_with
from support.sandboxes import waiting

LIMITS = {"cpu": 1.0, "memory_bytes": 256 << 20, "disk_bytes": 32 << 20, "processes": 48, "timeout_s": 60}
SCALING = {"min_instances": 1, "max_instances": 1}

LONGEST_S = 400  # with the fixtures: a toolchain may have to be fetched first


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(LONGEST_S))


@pytest.fixture(scope="session")
def platform() -> Iterator[WalledPlatform]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    found = WalledPlatform(folder / "d")
    try:
        found.start()
        found.deploy("neighbour", "python", source("neighbour"), scaling=SCALING)
        yield found
    finally:
        found.end()
    settle(lambda: processes_with(found.data) == {}, "nothing of the platform is left")
    assert cgroup_folders(found.data) == []
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def attackers(platform: WalledPlatform) -> list[Attacker]:
    """One function per language that this platform has. What languages need is fetched here: the wall lets nothing through."""
    for name in hostile_languages():
        if (need := language(name).toolchain) is not None:
            toolchain.ensure(need, print)
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda language: deploy_attacker(platform, language), hostile_languages()))


def hostile_languages() -> list[str]:
    """Those that there are and that have a folder of attacks."""
    return sorted(name for name in languages() if any((FUNCTIONS / name).glob("*")))


def deploy_attacker(platform: WalledPlatform, kind: str, **fields: Any) -> Attacker:
    name = fields.pop("name", f"attacker-{kind}")
    fields = {"limits": LIMITS, "scaling": SCALING, "env": {"VEHICLE_PYTHON": python_inside(kind)}, **fields}
    if kind == "exec":
        fields["handler"] = "handle.sh"
    platform.deploy(name, kind, source(kind, "vehicle"), **fields)
    return Attacker(platform, kind, name)


def python_inside(name: str) -> str:
    """An interpreter that a sandbox of that language shows."""
    return str(interpreter()) if language(name).host_folders else "/usr/bin/python3"


def everywhere(attackers: list[Attacker], what: str, **arguments: Any) -> list[Found]:
    """The same attack in every language, all at once."""
    with ThreadPoolExecutor(len(attackers)) as pool:
        return list(pool.map(lambda one: one.attack(what, **arguments), attackers))


@pytest.fixture(autouse=True)
def healthy(platform: WalledPlatform) -> Iterator[None]:
    """After every test: ready, the neighbour answers, and no sandbox is there that nobody runs."""
    yield
    settle(platform.ready, "/readyz is 200")
    answer = platform.call("POST", "/f/admin/neighbour", {})
    assert (answer.status, answer.json()) == (200, {"fine": True})
    functions = platform.call("GET", "/functions").json()["items"]

    def expected() -> int:
        return sum(platform.instances(one["name"]) for one in functions) + waiting(platform.data)

    def boxes() -> int:
        lines = processes_with(platform.data).values()
        return sum("bwrap" in line.split(" ")[0] for line in lines) // 2

    settle(lambda: boxes() == expected(), f"{boxes()} sandboxes for {expected()} instances")
    if cgroup_folders(platform.data):
        settle(
            lambda: len({Path(path).name for path in cgroup_folders(platform.data)}) == expected(),
            f"control groups {cgroup_folders(platform.data)} for {expected()} instances",
        )
