"""A runtime bounds its heap when it starts; where its memory may be raised later, by what that may come to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from faasioflex.model.function import MIB, Limits, Network
from faasioflex.model.instance import BuiltCode, InstanceSpec
from faasioflex.model.names import FunctionName
from faasioflex.runtime.language import language
from faasioflex.runtime.launcher import order


def spec(code: Path, runtime: str, limits: Limits) -> InstanceSpec:
    function = FunctionName("acme", "a")
    return InstanceSpec(
        "i-1", function, "u", 1, runtime, None, {}, limits, Network(), BuiltCode(code, None), platform_url=None
    )


def heap_mib(code: Path, limits: Limits) -> int:
    made = order.of_instance(spec(code, "node", limits), language("node"), code, relayed=False)
    (bound,) = [part for part in made.argv if "old-space" in part]
    return int(bound.rpartition("=")[2])


def test_node_s_heap_may_come_to_what_its_memory_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "_toolchain", lambda _: None)
    fixed, growing = Limits(memory_bytes=128 * MIB), Limits(memory_bytes=128 * MIB, max_memory_bytes=512 * MIB)
    assert heap_mib(tmp_path, fixed) < 128
    assert 256 < heap_mib(tmp_path, growing) < 512
    assert heap_mib(tmp_path, replace(growing, memory_bytes=512 * MIB)) == heap_mib(tmp_path, growing)


def test_a_runtime_is_told_the_most_and_the_box_what_holds_now(tmp_path: Path) -> None:
    limits = Limits(memory_bytes=128 * MIB, max_memory_bytes=512 * MIB)
    made = order.of_instance(spec(tmp_path, "python", limits), language("python"), tmp_path, relayed=False)
    assert json.loads(made.env["FFX_CONFIG"])["memory_bytes"] == 512 * MIB
    assert made.memory_bytes == 128 * MIB
