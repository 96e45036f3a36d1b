"""Start, observe, calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from faasioflex.model.errors import NotSupportedYet, StartFailed, Unavailable
from faasioflex.model.function import Limits
from faasioflex.model.instance import BuiltCode
from faasioflex.runtime.driver import LauncherDriver
from support.deadline import eventually
from support.launcher import World, client, inside


async def test_an_instance_answers_at_its_address(world: World) -> None:
    instance = await world.ready()
    assert await inside(instance, "result = 6 * 7") == 42
    assert world.driver.name == world.launcher.mode


async def test_a_client_that_comes_early_waits_until_it_is_ready(world: World) -> None:
    until_somebody_connects = "import select; select.select([3], [], [])"  # 3: the listening socket
    instance = await world.start({"main.py": until_somebody_connects + "\ndef handle(e, c): return 'late'\n"})
    async with client(instance) as http:
        assert (await http.get("/")).text == "late"


async def test_it_is_observed_as_it_was_ordered(world: World) -> None:
    instance = await world.start(revision=7, function_uid="u-9", wake=True)
    (seen,) = await world.driver.observe()
    assert (seen.id, seen.function, seen.function_uid) == (instance.id, instance.function, "u-9")
    assert (seen.revision, seen.wake, seen.address) == (7, True, instance.address)
    await eventually(lambda: instance.id in world.seen.ready, "it is ready")
    (seen,) = await world.driver.observe()
    assert seen.state == "ready"


async def test_a_known_id_is_not_started_twice(world: World) -> None:
    spec = world.spec()
    first, again = await asyncio.gather(world.driver.start(spec), world.driver.start(spec))
    assert first.id == again.id
    assert first.started_at == again.started_at
    assert len(await world.driver.observe()) == 1


async def test_its_environment_is_the_contract_s(world: World) -> None:
    instance = await world.ready(revision=3, env={"GREETING": "hi"}, platform_url="http://127.0.0.1:8080")
    env = await inside(instance, "import os; result = dict(os.environ)")
    assert env["GREETING"] == "hi"
    assert (env["FFX_NAMESPACE"], env["FFX_FUNCTION"], env["FFX_REVISION"]) == ("acme", "probe", "3")
    assert env["FFX_URL"] == "http://127.0.0.1:8080"
    assert env["FFX_DATA"] == str(world.data)
    assert {"LISTEN_PID", "LD_LIBRARY_PATH"}.isdisjoint(env)
    assert not {name for name in env if name.startswith(("PYTEST", "VIRTUAL_ENV", "UV_"))}


async def test_dependencies_are_seen_beside_the_code(world: World) -> None:
    deps = world.code({"ffx_wheel.py": "VALUE = 'from the dependency'\n"}).code
    code = world.code({"main.py": "import ffx_wheel\ndef handle(e, c): return ffx_wheel.VALUE\n"}).code
    instance = await world.ready(code=BuiltCode(code, deps))
    async with client(instance) as http:
        assert (await http.get("/")).text == "from the dependency"


async def test_a_folder_that_is_not_there_is_said_so(world: World) -> None:
    spec = replace(world.spec(), code=BuiltCode(Path("/nowhere/code"), None))
    with pytest.raises(StartFailed, match="/nowhere/code"):
        await world.driver.start(spec)
    assert await world.driver.observe() == []


async def test_a_runtime_that_is_not_installed_is_refused(world: World) -> None:
    with pytest.raises(NotSupportedYet):
        await world.driver.start(world.spec(runtime="image"))


async def test_twenty_start_at_once(world: World) -> None:
    specs = [world.spec() for _ in range(20)]
    instances = await asyncio.gather(*(world.driver.start(spec) for spec in specs))
    await eventually(lambda: len(world.seen.ready) == 20, "all are ready", 60)
    assert await asyncio.gather(*(inside(instance, "result = 1") for instance in instances)) == [1] * 20


async def test_usage_tells_memory_and_cpu(world: World) -> None:
    instance = await world.ready(limits=Limits(memory_bytes=256 * 1024 * 1024))
    await inside(instance, "import sys; sys.kept = bytearray(b'x') * 60_000_000; result = sum(range(2_000_000))")
    memory, cpu_s = (await world.driver.usage())[instance.id]
    assert 60_000_000 < memory < 256 * 1024 * 1024
    assert 0 < cpu_s < 60


async def test_without_a_launcher_it_is_unavailable(tmp_path: Path) -> None:
    driver = LauncherDriver(tmp_path / "nobody.sock")
    with pytest.raises(Unavailable):
        await driver.observe()
