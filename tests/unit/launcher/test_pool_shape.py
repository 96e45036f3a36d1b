"""Which functions can take a sandbox that was started beforehand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faasioflex.model.function import MIB, Limits, Network
from faasioflex.model.instance import BuiltCode, InstanceSpec
from faasioflex.model.names import FunctionName
from faasioflex.runtime.egress.plan import PLATFORM_URL
from faasioflex.runtime.isolation import Order, Shown
from faasioflex.runtime.language import language
from faasioflex.runtime.launcher.pool import shape
from faasioflex.runtime.launcher.pool.spare import can_be_told
from faasioflex.runtime.sandbox.entrance import MOST_LINKED, Linked

SPEC = InstanceSpec(
    id="i-0",
    function=FunctionName("acme", "f"),
    function_uid="u",
    revision=1,
    runtime="python",
    handler=None,
    env={"GREETING": "hi", "TZ": "Europe/Madrid"},
    limits=Limits(),
    network=Network(),
    code=BuiltCode(Path("/code"), None),
    platform_url=PLATFORM_URL,
)
ORDER = Order("i-0", ("run",), {}, "/ffx/code", (), 1, 1, 1, 1.0)


def of(relayed: bool = True, **changes: Any) -> shape.Shape | None:
    spec = replace(SPEC, **changes)
    return shape.of(spec, language(spec.runtime), relayed=relayed)


def test_a_usual_function_takes_a_usual_spare() -> None:
    assert of() in shape.usual(relayed=True)


@pytest.mark.parametrize("runtime", ["exec", "bash", "go"])
def test_languages_that_python_can_become_share_its_spares(runtime: Any) -> None:
    assert of(runtime=runtime) == of()
    assert language(runtime).pool is not None


@pytest.mark.parametrize("changed", [{"disk_bytes": 32 * MIB}, {"processes": 10}])
def test_what_is_fixed_at_the_start_of_a_sandbox_makes_another_shape(changed: Any) -> None:
    assert of(limits=Limits(**changed)) not in (None, of())


def test_memory_is_fixed_where_a_heap_is_bounded_by_an_argument_only() -> None:
    more = Limits(memory_bytes=256 * MIB, cpu=2, timeout_s=5, concurrency=1)
    assert of(limits=more) == of()
    assert of(runtime="node", limits=more) not in (None, of(runtime="node"))


@pytest.mark.parametrize(
    "changed",
    [
        {"network": Network(egress=("example.com",))},
        {"env": {"LD_PRELOAD": "/ffx/code/mine.so"}},
        {"env": {"LC_ALL": "C"}},
        {"limits": Limits(memory_bytes=32 * MIB)},
        {"runtime": "node", "env": {"NODE_OPTIONS": "--expose-gc"}},
    ],
)
def test_what_a_running_process_would_not_heed_has_a_sandbox_of_its_own(changed: Any) -> None:
    assert of(**changed) is None


def test_without_a_relay_nobody_asks_for_the_platform() -> None:
    assert of(relayed=False) == of(relayed=False, platform_url=None)
    assert of(relayed=True) != of(relayed=True, platform_url=None)


def test_what_no_sandbox_could_be_told_is_not_told_to_a_spare() -> None:
    assert can_be_told(replace(ORDER, env={"A": "b" * 1000}))
    assert not can_be_told(replace(ORDER, env={"A": "b" * 70_000}))
    assert not can_be_told(replace(ORDER, env={"A": "x\0--bind"}))


def test_code_is_linked_in_where_nothing_can_be_mounted(tmp_path: Path) -> None:
    code = tmp_path / "code"
    (code / "package").mkdir(parents=True)
    (code / "main.py").write_text("import package")
    (code / "package" / "__init__.py").write_text("")
    (code / "link.py").symlink_to("main.py")
    entrance = Linked(tmp_path / "rooms")
    rooms = {room.target: room.source for room in entrance.rooms("p-1")}
    shown = [Shown(code, "/ffx/code")]
    assert entrance.fits(shown)
    entrance.let_in("p-1", 1, shown)
    room = rooms["/ffx/code"]
    assert sorted(str(path.relative_to(room)) for path in room.rglob("*")) == [
        "link.py",
        "main.py",
        "package",
        "package/__init__.py",
    ]
    assert (room / "main.py").samefile(code / "main.py")
    entrance.leave("p-1")
    assert not room.exists()
    assert (code / "main.py").read_text() == "import package"


def test_a_large_tree_is_not_linked(tmp_path: Path) -> None:
    for number in range(MOST_LINKED + 1):
        (tmp_path / str(number)).write_text("")
    assert not Linked(tmp_path / "rooms").fits([Shown(tmp_path, "/ffx/deps")])
