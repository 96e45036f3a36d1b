"""A manager may die and come back at any time: nothing that happened meanwhile is lost."""

from __future__ import annotations

from faasioflex.runtime.driver import LauncherDriver
from support.deadline import eventually
from support.launcher import World, inside

SPEAKS = "\n".join(
    [
        "import threading, time",
        "def speak():",
        "    for n in range(400):",
        "        print('word', n, flush=True)",
        "        time.sleep(0.002)",
        "def handle(event, context):",
        "    threading.Thread(target=speak).start()",
        "    return {'result': 'speaks'}",
    ]
)


def _words(world: World, instance: str) -> set[str]:
    return {message for message in world.seen.messages(instance, "stdout") if message.startswith("word")}


async def test_no_line_is_lost_while_managers_come_and_go(world: World) -> None:
    instance = await world.ready({"main.py": SPEAKS})
    assert await inside(instance, "") == "speaks"
    heard: set[str] = set()
    for more in (40, 80, 160, 240, 320):

        def enough(more: int = more, heard: frozenset[str] = frozenset(heard)) -> bool:
            return len(heard | _words(world, instance.id)) > more

        await eventually(enough, f"{more} words", 20)
        heard |= _words(world, instance.id)
        await world.another_manager()
    await eventually(lambda: len(heard | _words(world, instance.id)) == 400, "every word", 30)


async def test_ready_and_ended_are_told_to_the_next_manager(world: World) -> None:
    await world.forget()
    world.driver = LauncherDriver(world.launcher.socket)
    instance = await world.start()
    await inside(instance, "result = 1")
    await world.driver.stop(instance.id, 5)
    assert world.seen.ready == []
    await world.another_manager()
    ended = await world.end_of(instance.id)
    assert ended.reason == "stopped"
    assert world.seen.ready == [instance.id]


async def test_the_next_manager_observes_what_runs(world: World) -> None:
    instance = await world.ready()
    await world.another_manager()
    (seen,) = await world.driver.observe()
    assert (seen.id, seen.state, seen.address) == (instance.id, "ready", instance.address)
    assert await inside(seen, "result = 'still here'") == "still here"


async def test_what_was_taken_care_of_is_not_told_again(world: World) -> None:
    instance = await world.ready()
    await world.driver.stop(instance.id, 5)
    await world.end_of(instance.id)
    other = await world.ready()  # its events come after those: they were asked for, so the earlier ones are done
    await inside(other, "result = 1")
    await world.another_manager()
    third = await world.ready()
    assert third.id in world.seen.ready
    assert instance.id not in world.seen.ended
