"""The last steps of a build: compile the code, load it as an instance would."""

from __future__ import annotations

import json
import platform
from pathlib import Path

from faasioflex.manager.builder.jobs import Step, StepLimits, read_only, writable
from faasioflex.model.function import RevisionRecord
from faasioflex.runtime.language import INSIDE, Language, interpreter
from faasioflex.runtime.toolchain import find

CHECK_TIMEOUT_S = 60.0  # as long as an instance has to become ready
WHEN_SLOW = (
    "the code does not finish loading: see what it does at import, outside of the handler: it may wait for nothing there"
    " (a connection, input, a server it starts)"
)


def compile_step(code: Path) -> Step:
    """Bytecode beside the sources: nothing can be written when they run. Compiling runs none of it."""
    argv = (
        str(interpreter()), "-I", "-m", "compileall", "-qq", "--invalidation-mode", "unchecked-hash", INSIDE.code,
    )  # fmt: skip
    return Step("compile", argv, {}, (writable(code, INSIDE.code),))


def check_step(record: RevisionRecord, kind: Language, code: Path, deps: Path | None) -> Step:
    """Load it under an instance's rules, and see whether the handler is there."""
    places = INSIDE.of(deps, find(kind.run_toolchain) if kind.run_toolchain else None)
    limits = record.limits
    settings = {
        "runtime": record.runtime,
        "handler": record.handler,
        "timeout_s": limits.timeout_s,
        "concurrency": limits.concurrency,
        "payload_bytes": limits.payload_bytes,
    }
    env = {
        **kind.environment_for(places),
        **record.env,
        "FFX_CONFIG": json.dumps(settings),
        "FFX_NAMESPACE": record.namespace,
        "FFX_FUNCTION": record.name,
        "FFX_REVISION": str(record.number),
    }
    binds = [read_only(code, INSIDE.code)]
    if deps is not None:
        binds.append(read_only(deps, INSIDE.deps or ""))
    return Step(
        f"check ({record.runtime} {platform.python_version()})" if record.runtime == "python" else "check",
        tuple(kind.check_argv(places, limits.memory_bytes)),
        env,
        tuple(binds),
        cwd=INSIDE.code,
        language=kind.name,
        limits=StepLimits(CHECK_TIMEOUT_S, limits.memory_bytes, limits.disk_bytes, limits.processes),
        explains=True,
        when_slow=WHEN_SLOW,
    )


def make_executable(code: Path, handler: str | None) -> None:
    """The named file, or the only one."""
    files = [path.resolve() for path in code.rglob("*") if path.is_file() and not path.is_symlink()]
    chosen = (code / handler).resolve() if handler else (files[0] if len(files) == 1 else None)
    if chosen is not None and chosen in files:
        chosen.chmod(0o755)
