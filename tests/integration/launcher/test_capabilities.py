"""The probes of ``ffx doctor`` on this machine, which runs the rest of this suite."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faasioflex.runtime import capabilities
from faasioflex.runtime.capabilities import probe
from faasioflex.runtime.sandbox import trial
from faasioflex.runtime.sandbox.program import Program


async def test_this_machine_can_run_sandboxes(tmp_path: Path) -> None:
    found = {finding.name: finding for finding in await probe(tmp_path / "data", port=0)}
    assert {"sandboxes", "seccomp", "control groups", "overlays", "disk", "memory", "open files", "processes"} <= set(
        found
    )
    assert [finding for finding in found.values() if finding.level == "fail"] == []
    assert list(tmp_path.iterdir()) == []


async def test_every_finding_that_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    for finding in await probe(tmp_path):
        assert (finding.level == "ok") == (finding.cure is None)


async def test_a_sandbox_that_cannot_be_made_is_told_in_the_system_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    program.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(0o755)
    monkeypatch.setattr(trial, "locate", lambda: Program(program, tmp_path))
    finding = await capabilities.sandboxes()
    assert finding.level == "fail"
    assert finding.cure


async def test_without_sandboxes_less_is_looked_at(tmp_path: Path) -> None:
    names = {finding.name for finding in await probe(tmp_path, mode="process")}
    assert "sandboxes" not in names
    assert "disk" in names
