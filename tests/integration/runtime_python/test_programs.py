"""Programs that leave something behind when they end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from faasioflex.runtime.language import language
from support.runtime_instance import run_instance

LEAVES = """#!/bin/sh
case "$FFX_PATH" in
/child) (sleep 60; echo late) & ;;
/session) setsid sh -c 'sleep 60; echo late' & ;;
/last) (sleep 0.05; echo last words) & ;;
/stderr) (sleep 60 >&-) & ;;
/large) head -c 3000000 /dev/zero ;;
esac
echo done
"""


def script(folder: Path, text: str) -> Path:
    path = folder / "run"
    path.write_text(text)
    path.chmod(0o755)
    return folder


@pytest.mark.parametrize("path", ["/child", "/session", "/stderr"])
async def test_a_child_left_behind_does_not_hold_up_the_answer(tmp_path: Path, path: str) -> None:
    code = script(tmp_path, LEAVES)
    async with run_instance(language("exec"), code, timeout_s=30) as instance, instance.client() as client:
        async with asyncio.timeout(15):  # far from both the deadline and the child's end
            answer = await client.get(path, headers={"x-request-id": "r1"})
        assert (answer.status_code, answer.text) == (200, "done\n")
        await instance.logged("left a process behind", "r1")


async def test_what_a_child_writes_at_once_belongs_to_the_answer(tmp_path: Path) -> None:
    code = script(tmp_path, LEAVES)
    async with run_instance(language("exec"), code, timeout_s=30) as instance, instance.client() as client:
        assert (await client.get("/last")).text == "done\nlast words\n"


async def test_a_slow_reader_gets_all_of_what_an_ended_program_wrote(tmp_path: Path) -> None:
    code = script(tmp_path, LEAVES)
    async with run_instance(language("exec"), code, timeout_s=30) as instance, instance.client() as client:
        size = 0
        async with client.stream("GET", "/large", headers={"x-request-id": "r2"}) as answer:
            async for piece in answer.aiter_raw(65536):
                size += len(piece)
                await asyncio.sleep(0.01)
        assert size == 3000000 + len("done\n")
        assert not any("left a process" in line for line in instance.messages("r2"))
