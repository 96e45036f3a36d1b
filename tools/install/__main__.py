"""``python tools/install [--dev]``: a .venv with the command ffx in it, every package pinned by its hash. Standard library only.

Does nothing where nothing changed: what was installed is kept as digests in .venv.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import registries
import uv_program
from wheel import InstallError

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
STAMP = VENV / ".installed.json"
RUNTIMES = ROOT / "runtimes"
OLDEST = (3, 11)
RunUv = Callable[..., None]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    dev = parser.parse_args().dev
    if sys.version_info < OLDEST:
        return _failed(f"Python {sys.version.split()[0]} is too old: 3.11 or newer is needed.")
    (ROOT / ".tools").mkdir(exist_ok=True)
    with (ROOT / ".tools/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            _install(dev)
        except InstallError as error:
            return _failed(str(error))
        except subprocess.CalledProcessError as error:
            return _failed(f"'{Path(error.cmd[0]).name} {' '.join(error.cmd[1:3])} …' failed: see above.")
    return 0


def _install(dev: bool) -> None:
    stamp = _read_stamp() if _venv_works() else {}
    wanted = _digest(ROOT / "uv.lock", ROOT / "pyproject.toml", ROOT / "tools/install/build-backend.lock")
    steps = {
        "packages": (wanted, "dev" if dev else "run"),
        **{f"runtime {path.parent.name}": (_digest(path), "") for path in sorted(RUNTIMES.glob("*/requirements.lock"))},
    }
    todo = [name for name, (digest, kind) in steps.items() if not _done(stamp, name, digest, kind)]
    if not todo:
        return
    began = time.monotonic()
    print("Installing FaaSioFlex into .venv", file=sys.stderr)
    known = registries.read(os.environ, Path.home())
    uv = uv_program.find_or_get(ROOT, known)
    environment = {n: v for n, v in os.environ.items() if n not in {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME"}}
    environment |= known.uv_environment | {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1"}

    def run_uv(*arguments: str | Path) -> None:
        subprocess.run([uv, *arguments], cwd=ROOT, env=environment, check=True)

    if not _venv_works():
        run_uv("venv", "--quiet", "--clear", "--python", sys.executable, VENV)
    for name in todo:
        digest, kind = steps[name]
        if name == "packages":
            _install_project(run_uv, dev)
        else:
            _install_runtime(run_uv, RUNTIMES / name.removeprefix("runtime "))
        stamp[name] = {"digest": digest, "kind": kind}
        STAMP.write_text(json.dumps(stamp, indent=1))
    print(f"Installed in {time.monotonic() - began:.0f} s: .venv/bin/ffx", file=sys.stderr)


def _install_project(run_uv: RunUv, dev: bool) -> None:
    """Exported to a requirements file, not synced: so the configured index is asked, with the lock's hashes."""
    with tempfile.TemporaryDirectory(dir=ROOT / ".tools") as folder:
        requirements = Path(folder) / "requirements.txt"
        groups = ["--all-groups"] if dev else ["--no-dev"]
        run_uv(
            "export",
            "--quiet",
            "--frozen",
            "--no-emit-project",
            "--format",
            "requirements.txt",
            *groups,
            "-o",
            requirements,
        )
        run_uv("pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "--require-hashes", "-r", requirements)
    run_uv(
        *("pip", "install", "--quiet", "--python", PYTHON, "--no-deps", "--require-build-hashes"),
        *("--build-constraints", ROOT / "tools/install/build-backend.lock", "--editable", ROOT),
    )


def _install_runtime(run_uv: RunUv, folder: Path) -> None:
    """What a language's server needs, compiled ahead: instances see it read-only and could not keep what they compile."""
    fresh, old = folder / "_packages.new", folder / "_packages.old"
    for rest in (fresh, old):
        shutil.rmtree(rest, ignore_errors=True)
    run_uv(
        *("pip", "install", "--quiet", "--python", PYTHON, "--target", fresh, "--no-deps", "--require-hashes"),
        *("--only-binary", ":all:", "--compile-bytecode", "-r", folder / "requirements.lock"),
    )
    target = folder / "_packages"
    if target.exists():
        target.replace(old)
    fresh.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _done(stamp: dict[str, dict[str, str]], name: str, digest: str, kind: str) -> bool:
    """Everything for the tests includes everything to run; a runtime's folder may have been cleaned away."""
    before = stamp.get(name, {})
    if name.startswith("runtime ") and not (RUNTIMES / name.removeprefix("runtime ") / "_packages").is_dir():
        return False
    return before.get("digest") == digest and (before.get("kind") == kind or before.get("kind") == "dev")


def _venv_works() -> bool:
    if not PYTHON.exists():
        return False
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    return subprocess.run([PYTHON, "-c", check], capture_output=True, check=False).returncode == 0


def _read_stamp() -> dict[str, dict[str, str]]:
    try:
        found: dict[str, dict[str, str]] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return found


def _digest(*paths: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()


def _failed(sentence: str) -> int:
    print(f"Error: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
