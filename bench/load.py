"""Load on one URL over kept connections: wrk where the machine has it, else a generator of our own, which says less."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

BODY = b'{"name": "Ada", "of": "Lovelace"}'
TYPE = "application/json"
OVERTIME_S = 30.0
_WRK_SCRIPT = Path(__file__).with_name("post.lua")
_OWN = Path(__file__).with_name("generator.py")


@dataclass(frozen=True)
class Ran:
    """``errors``: broken connections, time-outs, and answers that are not 2xx."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float
    p99_ms: float

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


@cache
def generator_name() -> str:
    """What makes the load here."""
    return "wrk" if shutil.which("wrk") else "bench/generator.py (wrk is not installed: apt install wrk)"


def run(url: str, connections: int, seconds: float, token: str | None = None) -> Ran:
    """POST ``BODY`` for so long, with the ``token`` of who calls.

    Raises: RuntimeError where the generator fails.
    """
    wrk = shutil.which("wrk")
    if wrk:
        argv = [wrk, "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "10s", "-s", str(_WRK_SCRIPT), url]
    else:
        where = urlsplit(url)
        argv = [sys.executable, str(_OWN), f"{where.hostname}:{where.port}", where.path or "/", str(connections)]
        argv.append(str(seconds))
    if wrk and seconds != int(seconds):
        raise RuntimeError("wrk takes whole seconds")
    environment = {**os.environ, **({"BENCH_TOKEN": token} if token else {})}  # an argument could be read by others
    done = subprocess.run(
        argv, env=environment, capture_output=True, text=True, check=False, timeout=seconds + OVERTIME_S
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("{")), None)
    if done.returncode != 0 or line is None:
        raise RuntimeError(f"the load on {url} failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    return Ran(**json.loads(line))
