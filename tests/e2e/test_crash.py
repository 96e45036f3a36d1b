"""Asynchronous calls while everything is killed -9, each part once: a short run of ``make crash``. Prints what came of them."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from bench.crash import KILLED, crash

CALLS = 300

pytestmark = [pytest.mark.slow, pytest.mark.alone, pytest.mark.timeout(240)]


async def test_every_accepted_call_ends_in_exactly_one_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ffxcrash", dir="/tmp"))
    try:
        seen = await crash(CALLS, len(KILLED), folder, chance=random.Random(), every_s=0.7)
        with capsys.disabled():
            print("", *seen.lines(), sep="\n  ")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert dict(seen.kills) == dict.fromkeys(KILLED, 1)
    assert len(seen.accepted) == CALLS
    assert seen.fine, seen.lines()
    assert seen.runs >= seen.attempts, "a call ran at least as often as its outcome says"
