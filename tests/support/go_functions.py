"""Functions in Go, compiled as a build does it, but without a sandbox. Programs are kept in the user's cache by what they are
made of: only the first of several sessions compiles."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

from faasioflex.manager.builder.go import system
from faasioflex.manager.builder.go.caches import SEEDS, runtime_digest
from faasioflex.model.errors import Unavailable
from faasioflex.runtime.language import language
from faasioflex.runtime.toolchain import Toolchain, ensure
from faasioflex.runtime.toolchain.store import cache_folder

STEPS = Path(system.__file__).parent / "in_sandbox" / "go_steps.py"
RUNTIME = language("go").folder
_KEPT = 40  # programs


@cache
def go() -> Toolchain:
    """The machine's or a fetched one; skips the test where none can be had."""
    need = language("go").toolchain
    assert need is not None
    try:
        return ensure(need, print)
    except Unavailable as error:
        pytest.skip(f"no Go toolchain: {error}")


def go_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME", "TMPDIR") if name in os.environ}
    return kept | {
        "CGO_ENABLED": "0", "GOPROXY": "off", "GOSUMDB": "off", "GOTOOLCHAIN": "local", "GOWORK": "off", "GOENV": "off",
        "GOFLAGS": "-trimpath", "GOTELEMETRY": "off", "GOCACHE": str(_cache()),
    }  # fmt: skip


@cache
def _cache() -> Path:
    """GOCACHE: begun with what the builder has compiled already, if it has."""
    place = cache_folder() / "tests" / "go-cache"
    seeds = sorted((cache_folder() / "go" / SEEDS).glob("*/cache"), key=lambda path: path.stat().st_mtime)
    if seeds and not place.exists():
        aside = place.with_name(f".go-cache-{os.getpid()}")
        shutil.copytree(seeds[-1], aside)
        try:
            aside.rename(place)
        except OSError:  # another process was faster
            shutil.rmtree(aside)
    return place


def compiled(code: Path, handler: str | None = None) -> Path:
    """The folder with the program ``function``: what an instance has as its deps."""
    folder = cache_folder() / "tests" / "go"
    code = code.resolve()
    made = folder / _key(code, handler)
    if not (made / "function").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the others would only wait for the same packages
            if not (made / "function").exists():
                _compile(code, handler, made)
                _forget(folder)
    return made


def build(code: Path, handler: str | None, program: Path) -> subprocess.CompletedProcess[str]:
    """Compile ``code`` to ``program``; the outcome is the caller's business."""
    with program.open("wb") as target:
        argv = [
            sys.executable,
            "-I",
            STEPS,
            "build",
            go().root / "bin/go",
            RUNTIME,
            code,
            _prepare(),
            code,
            handler or "",
        ]
        return subprocess.run(
            [sys.executable, "-I", "-c", _SHIM, str(target.fileno()), *map(str, argv)], pass_fds=[target.fileno()],
            env=go_environment(), check=False, capture_output=True, text=True, timeout=600,
        )  # fmt: skip


_SHIM = "import os, sys; os.dup2(int(sys.argv[1]), 3); os.execv(sys.argv[2], sys.argv[2:])"


def _compile(code: Path, handler: str | None, made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent, prefix=".tmp-") as aside:
        place = Path(aside) / "made"
        place.mkdir()
        done = build(code, handler, place / "function")
        assert done.returncode == 0, done.stdout + done.stderr
        (place / "function").chmod(0o755)
        place.rename(made)


@cache
def _prepare() -> Path:
    program = cache_folder() / "tests" / f"prepare-{runtime_digest(RUNTIME)[:16]}-{go().version}"
    program.parent.mkdir(parents=True, exist_ok=True)
    if not program.exists():
        aside = program.with_name(f".{program.name}-{os.getpid()}")
        argv = [str(go().root / "bin/go"), "build", "-buildvcs=false", "-o", str(aside), "./cmd/prepare"]
        subprocess.run(argv, cwd=RUNTIME / "faasioflex", env=go_environment(), check=True, timeout=600)
        for old in program.parent.glob("prepare-*"):
            old.unlink(missing_ok=True)
        aside.rename(program)
    return program


def _key(code: Path, handler: str | None) -> str:
    found = hashlib.sha256(f"{go().version} {runtime_digest(RUNTIME)} {handler}\0".encode() + STEPS.read_bytes())
    for path in sorted(code.rglob("*")):
        if path.is_file():
            found.update(f"\0{path.relative_to(code)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:32]


def _forget(folder: Path) -> None:
    programs = sorted(folder.glob("*/function"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in programs[_KEPT:]:
        old.unlink()
        old.parent.rmdir()
