"""Calls per second and CPU per call at many connections: bare servers, bare Envoy, runtimes alone, the direct path.

All of them run at once and are asked in turn, round by round, so that what else the machine does falls on all alike. Ratios are
made within a round. CPU per call says more than calls per second where load and servers share few cores.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from bench import load, servers
from bench.bench import Bench, say
from bench.figures import Json, spread
from bench.languages import Language


@dataclass
class Contender:
    """``envoy_s``: the part of ``cpu_s`` that a proxy uses. ``token``: gives the one of who calls."""

    name: str
    url: str
    cpu_s: Callable[[], float]
    envoy_s: Callable[[], float] | None = None
    token: Callable[[], str] | None = None
    runs: list[load.Ran] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)  # per call, all server processes
    envoy_us: list[float] = field(default_factory=list)

    def ask(self, connections: int, seconds: int) -> None:
        cpu, envoy = self.cpu_s(), self.envoy_s() if self.envoy_s else 0.0
        ran = load.run(self.url, connections, seconds, self.token() if self.token else None)
        if ran.errors or not ran.requests:
            raise RuntimeError(f"{self.name}: {ran.errors} of {ran.requests} calls failed")
        self.runs.append(ran)
        self.cpu_us.append(1e6 * (self.cpu_s() - cpu) / ran.requests)
        if self.envoy_s:
            self.envoy_us.append(1e6 * (self.envoy_s() - envoy) / ran.requests)

    def result(self) -> Json:
        found = {
            "calls_per_s": spread([ran.per_s for ran in self.runs], 1),
            "cpu_us": spread(self.cpu_us, 1),
            "p50_ms": spread([ran.p50_ms for ran in self.runs]),
            "p99_ms": spread([ran.p99_ms for ran in self.runs]),
        }
        return found | ({"envoy_us": spread(self.envoy_us, 1)} if self.envoy_us else {})


@dataclass(frozen=True)
class Pair:
    """A ratio that is asked for: ``of`` to ``to``."""

    kind: (
        str  # runtime (alone, to the bare server) or path (the direct path, to bare Envoy in front of the bare server)
    )
    of: str
    to: str
    goal: float | None


def measure(bench: Bench) -> Json:
    with contextlib.ExitStack() as stack:
        contenders: dict[str, Contender] = {}
        pairs: list[Pair] = []
        for language in bench.languages():
            _add(bench, stack, language, contenders, pairs)
        amount = bench.amount
        for contender in list(contenders.values()):
            _ask(bench, contenders, contender, 1)  # warm-up, not counted
            contender.runs, contender.cpu_us, contender.envoy_us = [], [], []
        for number in range(amount.rounds):
            say(f"  round {number + 1} of {amount.rounds}: {len(contenders)} servers")
            for contender in list(contenders.values()):
                _ask(bench, contenders, contender, amount.load_s)
    return {
        "connections": amount.connections,
        "contenders": {name: one.result() for name, one in contenders.items()},
        "ratios": [_ratio(pair, contenders) for pair in pairs if pair.of in contenders and pair.to in contenders],
    }


def _ask(bench: Bench, contenders: dict[str, Contender], contender: Contender, seconds: int) -> None:
    """One whose calls fail twice in a row is left out, and the others go on."""
    for last in (False, True):
        try:
            contender.ask(bench.amount.connections, seconds)
            return
        except (RuntimeError, OSError) as error:
            if last:
                del contenders[contender.name]
                bench.leave_out(contender.name, error)


def _add(
    bench: Bench,
    stack: contextlib.ExitStack,
    language: Language,
    contenders: dict[str, Contender],
    pairs: list[Pair],
) -> None:
    behind = f"Envoy, {language.bare_name}"
    if language.bare is not None:
        try:
            command, env = language.bare(bench.folder)
            port = f"http://127.0.0.1:{servers.free_port()}/"
            alone = stack.enter_context(servers.bare(command, port, bench.folder, env))
            socket = f"unix:{bench.folder}/{language.name}.sock"
            upstream = stack.enter_context(servers.bare(command, socket, bench.folder, env))
            envoy = stack.enter_context(servers.bare_envoy(socket, bench.folder))
        except (OSError, RuntimeError) as error:
            bench.leave_out(f"{language.bare_name} as the bare server", error)
        else:
            contenders[language.bare_name] = Contender(language.bare_name, alone.address, alone.cpu_s)
            contenders[behind] = Contender(behind, envoy.address, lambda: envoy.cpu_s() + upstream.cpu_s(), envoy.cpu_s)
    for echo in bench.echoes:
        if echo.language is not language:
            continue
        if echo.app.alone:
            from faasioflex.runtime.language import language as described

            label = f"{echo.label}, alone"
            server = stack.enter_context(
                servers.runtime(described(language.name), echo.built.code, echo.built.deps, bench.folder)
            )
            contenders[label] = Contender(label, server.address, server.cpu_s)
            pairs.append(Pair("runtime", label, language.bare_name, language.goal))
        label = f"{echo.label}, platform"
        contenders[label] = Contender(
            label,
            bench.platform.function_url(echo.name),
            lambda name=echo.name: bench.platform.envoy_cpu_s() + bench.platform.instance_cpu_s(name),  # type: ignore[misc]
            bench.platform.envoy_cpu_s,
            lambda: bench.platform.token,
        )
        pairs.append(Pair("path", label, behind, 0.9 if echo.app.same_as_bare else None))


def _ratio(pair: Pair, contenders: dict[str, Contender]) -> Json:
    of, to = contenders[pair.of], contenders[pair.to]
    found: Json = {
        "kind": pair.kind,
        "of": pair.of,
        "to": pair.to,
        "goal": pair.goal,
        "calls": spread([a.per_s / b.per_s for a, b in zip(of.runs, to.runs, strict=True)], 3),
        "cpu": spread([a / b for a, b in zip(of.cpu_us, to.cpu_us, strict=True) if b], 3),
    }
    if of.envoy_us and to.envoy_us:
        found["envoy_cpu"] = round(statistics.median(of.envoy_us) / (statistics.median(to.envoy_us) or 1), 3)
    return found
