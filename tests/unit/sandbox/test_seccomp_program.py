"""The programs of both machines, run by a small interpreter of classic BPF."""

from __future__ import annotations

import struct
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

TOOL = Path(__file__).parents[3] / "tools" / "make_seccomp.py"


def _load() -> ModuleType:
    spec = spec_from_file_location("make_seccomp_unit", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


tool = _load()
MACHINES = {machine.name: machine for machine in tool.MACHINES}


def verdict(program: bytes, number: int, audit: int, arguments: tuple[int, ...] = ()) -> int:
    data = struct.pack("<IIQ6Q", number, audit, 0, *(*arguments, *[0] * (6 - len(arguments))))
    code = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at, accumulator = 0, 0
    while True:
        kind, then, otherwise, value = code[at]
        at += 1
        if kind == tool.RETURN:
            return value
        if kind == tool.LOAD:
            (accumulator,) = struct.unpack_from("<I", data, value)
            continue
        holds = {
            tool.JUMP_EQUAL: accumulator == value,
            tool.JUMP_GREATER: accumulator > value,
            tool.JUMP_AT_LEAST: accumulator >= value,
            tool.JUMP_BITS: bool(accumulator & value),
        }[kind]
        at += then if holds else otherwise


@pytest.fixture(params=sorted(MACHINES))
def machine(request: pytest.FixtureRequest) -> object:
    return MACHINES[request.param]


def _of(machine: object, name: str, *arguments: int) -> int:
    number = next(table[name] for table in (tool.REFUSED, tool.ABSENT, tool.CHECKED) if name in table)[machine.column]  # type: ignore[attr-defined]
    return verdict(tool.filter_program(machine), number, machine.audit, arguments)  # type: ignore[attr-defined]


def test_what_is_listed_is_refused(machine: object) -> None:
    for name, numbers in tool.REFUSED.items():
        if numbers[machine.column] is not None:  # type: ignore[attr-defined]
            assert _of(machine, name) == tool.ERRNO | tool.EPERM, name
    for name in tool.ABSENT:
        assert _of(machine, name) == tool.ERRNO | tool.ENOSYS, name


def test_arguments_decide(machine: object) -> None:
    refused, no_family = tool.ERRNO | tool.EPERM, tool.ERRNO | tool.EAFNOSUPPORT
    assert _of(machine, "clone", 0x11) == tool.ALLOW
    assert _of(machine, "clone", 0x10000011) == refused
    assert _of(machine, "unshare", 0x80) == refused
    assert _of(machine, "unshare", 0x400) == tool.ALLOW  # CLONE_FILES
    assert _of(machine, "ioctl", 0, 0x5401) == tool.ALLOW
    assert _of(machine, "ioctl", 0, 0x1_0000_5412) == refused  # the kernel looks at 32 bits only
    assert _of(machine, "personality", 0xFFFFFFFF) == tool.ALLOW
    assert _of(machine, "personality", 0x0040000) == refused
    assert [_of(machine, "socket", family) for family in (1, 2, 10)] == [tool.ALLOW] * 3
    assert _of(machine, "socket", 16, 3, 0) == tool.ALLOW
    assert _of(machine, "socket", 16, 3, 9) == no_family
    assert _of(machine, "socketpair", 1) == tool.ALLOW
    assert _of(machine, "socketpair", 16) == no_family


@given(number=st.integers(0, 2**32 - 1), audit=st.integers(0, 2**32 - 1))
def test_another_machine_s_calls_end_the_process(number: int, audit: int) -> None:
    for machine in tool.MACHINES:
        if audit != machine.audit:
            assert verdict(tool.filter_program(machine), number, audit) == tool.KILL


@given(number=st.integers(tool.NEWEST_KNOWN + 1, 0x3FFFFFFF))
def test_what_is_younger_than_the_list_is_absent(number: int) -> None:
    for machine in tool.MACHINES:
        assert verdict(tool.filter_program(machine), number, machine.audit) == tool.ERRNO | tool.ENOSYS


def test_x32_calls_end_the_process_and_minus_one_does_not() -> None:
    machine = MACHINES["x86_64"]
    assert verdict(tool.filter_program(machine), 0x40000000, machine.audit) == tool.KILL
    assert verdict(tool.filter_program(machine), 0xFFFFFFFF, machine.audit) == tool.ERRNO | tool.ENOSYS


def test_memory_that_nobody_counts_is_absent_in_the_second_program(machine: object) -> None:
    program = tool.uncounted_program(machine)
    for numbers in tool.UNCOUNTED.values():
        assert verdict(program, numbers[machine.column], machine.audit) == tool.ERRNO | tool.ENOSYS  # type: ignore[attr-defined]
    assert verdict(program, 0, machine.audit) == tool.ALLOW  # type: ignore[attr-defined]
