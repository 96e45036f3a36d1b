"""Whether a sandbox can be made here at all: make one, exactly as for an instance, and run ``true`` in it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import tempfile
from pathlib import Path

from faasioflex.runtime.sandbox import seccomp, system
from faasioflex.runtime.sandbox.command import View, arguments
from faasioflex.runtime.sandbox.options import as_arguments, in_memory
from faasioflex.runtime.sandbox.program import locate
from faasioflex.runtime.sandbox.staging import Preparation, staged
from faasioflex.runtime.sandbox.uids import FIRST

_TRIAL_UID = FIRST - 1  # never an instance's
_LONGEST_S = 10.0


async def sandbox_problem() -> str | None:
    """None where it works; else what the system said, in its own words."""
    with tempfile.TemporaryDirectory(prefix="ffx-trial-") as folder:
        try:
            return await _run(Path(folder))
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)


async def _run(folder: Path) -> str | None:
    program = locate()
    etc = system.make_etc(folder / "etc")
    view = View(argv=("true",), env={}, cwd="/", etc=etc, shown=(), tmp_bytes=1024 * 1024)
    uid = _TRIAL_UID if os.geteuid() == 0 else None
    sources = [*view.sources, program.libraries]
    paths = [str(source) for source in sources] if uid is None else [staged(number) for number in range(len(sources))]
    filters = seccomp.open_programs(memory_is_counted=False)
    status = os.open(os.devnull, os.O_WRONLY)
    options = in_memory(as_arguments(arguments(view, paths[:-1], filters, status, None)))
    executable = os.open(program.path, os.O_PATH)
    opened = [*filters, status, options, executable]
    try:
        process = await asyncio.create_subprocess_exec(
            "bwrap",
            *("--args", str(options), "--", *view.argv),
            executable=f"/proc/self/fd/{executable}",
            env={"LD_LIBRARY_PATH": paths[-1]},
            pass_fds=opened,
            preexec_fn=Preparation(os.getpid(), [], sources, uid, 64, view.tmp_bytes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    finally:
        for descriptor in opened:
            os.close(descriptor)
    try:
        _, said = await asyncio.wait_for(process.communicate(), _LONGEST_S)
    except TimeoutError:
        process.kill()
        return f"bubblewrap did not end within {_LONGEST_S:.0f} s"
    return (
        None if process.returncode == 0 else said.decode(errors="replace").strip() or f"exit code {process.returncode}"
    )


async def overlay_problem() -> str | None:
    """The same of an overlay over a system folder, whose changes stay in memory."""
    try:
        program = locate()
        process = await asyncio.create_subprocess_exec(
            program.path,
            *("--unshare-user", "--ro-bind", "/", "/", "--overlay-src", "/usr", "--tmp-overlay", "/usr", "true"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        _, said = await asyncio.wait_for(process.communicate(), _LONGEST_S)
    except (OSError, TimeoutError) as error:
        return str(error) or "no answer"
    return None if process.returncode == 0 else said.decode(errors="replace").strip()
