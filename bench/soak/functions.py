"""The functions of the soak: what they do, and putting them on the platform."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from bench.soak.caller import Caller

PYTHON = """import asyncio
import json

VERSION = {version}


async def handle(event, context):
    if event.path == "/stream":
        return _stream()
    await asyncio.sleep(0.01)
    return {{"version": VERSION, "got": len(event.body)}}


async def _stream():
    for number in range(5):
        yield json.dumps({{"version": VERSION, "number": number}}) + "\\n"
        await asyncio.sleep(0.05)
"""
EXEC = '#!/bin/sh\nexec sed "s/^/{version} /"\n'
VERSIONS = 3  # of each function's code: known ones, so that what is built does not grow
IDLE_S = 5
RESULT_TTL_S = 15
AT_ONCE = 6


@dataclass(frozen=True)
class Subject:
    """One function. Every third is a program, the others are Python."""

    name: str
    runtime: str

    def files(self, version: int) -> dict[str, str]:
        if self.runtime == "exec":
            return {"run.sh": EXEC.format(version=version)}
        return {"main.py": PYTHON.format(version=version)}

    def document(self, version: int) -> dict[str, Any]:
        return {
            "name": self.name,
            "runtime": self.runtime,
            "source": {"files": self.files(version)},
            "limits": {"memory_bytes": 64 * 1024 * 1024, "concurrency": 5, "queue_wait_s": 30},
            "scaling": {"max_instances": 3, "idle_s": IDLE_S, "stable_window_s": 6},
            "async": {"result_ttl_s": RESULT_TTL_S},
        }


def subjects(count: int) -> list[Subject]:
    return [Subject(f"s{number}", "exec" if number % 3 == 2 else "python") for number in range(count)]


async def deploy_all(caller: Caller, wanted: list[Subject]) -> None:
    """Raises: RuntimeError where one does not become ready."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def deploy(subject: Subject) -> None:
        async with turns:
            answer = await caller.api("POST", "/functions/register?wait_s=120", subject.document(0))
        if answer.get("status", {}).get("state") not in ("ready", "idle"):
            raise RuntimeError(f"{subject.name} is not ready: {answer}")

    await asyncio.gather(*(deploy(subject) for subject in wanted))
