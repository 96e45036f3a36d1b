"""A uv of the version in uv.lock: one that is there, else by pip, else by a venv's pip, else its wheel unpacked by us."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import urllib.parse
from pathlib import Path

import wheel
from registries import Registries
from wheel import InstallError, Wheel


def find_or_get(root: Path, registries: Registries) -> Path:
    """The program. Raises InstallError where it can be had in no way."""
    own = root / ".tools/uv"
    wanted = _locked_version(root)
    for candidate in (own, root / ".venv/bin/uv", Path(shutil.which("uv") or "/nowhere/uv")):
        if _suits(candidate, wanted):
            return candidate
    print(f"  getting uv {wanted}", file=sys.stderr)
    own.parent.mkdir(exist_ok=True)
    version, wheels = _locked(root)
    with tempfile.TemporaryDirectory(dir=own.parent) as folder:
        for python in _pythons_with_pip(Path(folder)):
            if _by_pip(python, version, wheels, Path(folder), own) and _suits(own, wanted):
                return own
    wheel.unpack(wheel.fetch(wheel.choose(wheels), registries), own)
    if not _suits(own, wanted):
        raise InstallError(f"uv {wanted} was fetched and does not run on this machine.")
    return own


def _pythons_with_pip(folder: Path) -> list[list[str]]:
    """Commands that are a pip: this Python's, else that of a new venv; [] on a Python without pip and ensurepip (Debian)."""
    if _runs([sys.executable, "-m", "pip", "--version"]):
        return [[sys.executable, "-m", "pip"]]
    venv = folder / "venv"
    if _runs([sys.executable, "-m", "venv", str(venv)]) and _runs([str(venv / "bin/python"), "-m", "pip", "--version"]):
        return [[str(venv / "bin/python"), "-m", "pip"]]
    return []


def _by_pip(pip: list[str], version: str, wheels: list[Wheel], folder: Path, own: Path) -> bool:
    """pip knows its own settings: index, certificates, proxy, credentials."""
    requirements = folder / "uv.txt"
    requirements.write_text(f"uv=={version} " + " ".join(f"--hash=sha256:{w.sha256}" for w in wheels) + "\n")
    target = folder / "uv"
    arguments = [
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--only-binary",
        ":all:",
        "--target",
        str(target),
    ]
    environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        [*pip, *arguments, "-r", str(requirements)], env=environment, capture_output=True, text=True, check=False
    )
    program = target / "bin/uv"
    if done.returncode != 0 or not program.is_file():
        last = done.stderr.strip().splitlines()[-1:] or ["it gave no reason"]
        print(f"  pip could not get it ({last[0]}); trying without pip", file=sys.stderr)
        return False
    program.replace(own)
    return True


def _suits(program: Path, wanted: str) -> bool:
    """At least the locked version, and of the same 0.x line, whose lock format and options are known."""
    if not program.is_file():
        return False
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except OSError:
        return False
    match = re.match(r"uv (\d+)\.(\d+)\.(\d+)", done.stdout)
    if done.returncode != 0 or match is None:
        return False
    has, needs = [int(n) for n in match.groups()], [int(n) for n in wanted.split(".")]
    return has[:2] == needs[:2] and has >= needs


def _locked_version(root: Path) -> str:
    """From uv.lock, by its text: parsing the whole of it takes half a second."""
    match = re.search(
        r'^name = "uv"\nversion = "([0-9.]+)"$', (root / "uv.lock").read_text(encoding="utf-8"), re.MULTILINE
    )
    if match is None:
        raise InstallError("uv.lock does not name a version of uv.")
    return match[1]


def _locked(root: Path) -> tuple[str, list[Wheel]]:
    packages = tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]
    uv = next(p for p in packages if p["name"] == "uv")
    files = [
        Wheel(Path(urllib.parse.urlsplit(w["url"]).path).name, w["hash"].removeprefix("sha256:")) for w in uv["wheels"]
    ]
    return uv["version"], files


def _runs(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False
