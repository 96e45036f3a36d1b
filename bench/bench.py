"""What the measures share: the platform, what is deployed on it, and the settings of this run."""

from __future__ import annotations

import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.languages import LANGUAGES, App, Language
from bench.platform_under_test import Built, Platform, running
from faasioflex.model.errors import FfxError


@dataclass(frozen=True)
class Amount:
    """How much is measured."""

    rounds: int = 5
    load_s: int = 2
    connections: int = 32
    blocks: int = 30  # of calls one after the other, alternating
    block_calls: int = 100
    cold_functions: int = 10
    cold_rounds: int = 5
    cold_answers: int = 100  # first ones of each language
    cold_at_once: int = 50
    cold_bursts: int = 3
    deploys: int = 10
    many: int = 10_000  # registered functions
    changes: int = 20  # of one of them, to and fro
    idle_cpu_s: float = 30.0
    steps: int = 3  # of the load, to ten times and back
    step_s: float = 12.0
    stream_mib: int = 1024  # through one call
    events: int = 500  # of one stream, and calls
    settle_s: float = 20.0  # until memory is looked at
    queued: int = 10_000  # asynchronous calls of a round
    depth: int = 100_000  # that wait meanwhile


QUICK = Amount(
    rounds=1,
    load_s=1,
    blocks=2,
    block_calls=20,
    cold_functions=2,
    cold_rounds=1,
    cold_answers=4,
    cold_at_once=4,
    cold_bursts=1,
    deploys=1,
    many=20,
    settle_s=0.5,
    stream_mib=16,
    events=20,
    changes=2,
    idle_cpu_s=1.0,
    steps=1,
    step_s=6.0,
    queued=300,
    depth=1000,
)


@dataclass(frozen=True)
class Deployed:
    """An echo function on the platform under test."""

    language: Language
    app: App
    name: str
    built: Built

    @property
    def label(self) -> str:
        return f"{self.language.name} {self.app.name}"


@dataclass
class Bench:
    """``left_out``: what could not be measured here, and why."""

    folder: Path
    platform: Platform
    amount: Amount
    echoes: list[Deployed] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def leave_out(self, what: str, why: object) -> None:
        line = f"{what}: {str(why).splitlines()[0] if str(why) else type(why).__name__}"
        self.left_out.append(line)
        say(f"  left out: {line}")

    def languages(self) -> list[Language]:
        """Those that could be deployed."""
        known = {one.language.name for one in self.echoes}
        return [language for language in LANGUAGES if language.name in known]


@contextlib.contextmanager
def prepared(amount: Amount, only: set[str] | None = None) -> Iterator[Bench]:
    """A platform with every echo function on it. ``only``: names of languages."""
    folder = Path(tempfile.mkdtemp(prefix="ffxb", dir="/tmp"))  # short: sockets lie in it
    try:
        with running(folder / "d") as platform:
            bench = Bench(folder, platform, amount)
            for language in LANGUAGES:
                if only is None or language.name in only:
                    _deploy(bench, language)
            if not bench.echoes:
                raise RuntimeError(f"nothing could be deployed: {'; '.join(bench.left_out)}")
            yield bench
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _deploy(bench: Bench, language: Language) -> None:
    for app in language.apps:
        name = f"{language.name}-{app.name}".lower().replace(" ", "-")
        began = time.monotonic()
        try:
            built = bench.platform.deploy(
                name, language.name, app.files, scaling={"min_instances": 1, "max_instances": 1, "idle_s": 3600}
            )
        except (FfxError, RuntimeError) as error:
            bench.leave_out(language.name, error)
            return
        bench.echoes.append(Deployed(language, app, name, built))
        say(f"  deployed {name} in {time.monotonic() - began:.1f} s")


def say(text: str) -> None:
    """Progress, on stderr: standard output is for the result."""
    print(text, file=sys.stderr, flush=True)
