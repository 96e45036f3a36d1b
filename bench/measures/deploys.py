"""From registering to the first answer, and from a deploy of new code until the direct path answers with it."""

from __future__ import annotations

import time

from bench.bench import Bench
from bench.figures import Json, percentiles
from bench.languages import LANGUAGES
from bench.measures.live import CODE, deployed_ms
from bench.platform_under_test import WITHIN_S


def measure(bench: Bench) -> Json:
    """Python; each time with code that was never built. ``Bench.echoes`` has it, or there is nothing to measure."""
    if not any(language.name == LANGUAGES[0].name for language in bench.languages()):
        raise RuntimeError("the runtime python is not there")
    registered, live = [], []
    for number in range(bench.amount.deploys):
        name = f"fresh-{number}"
        registered.append(1000 * _register(bench, name, number))
        live += deployed_ms(bench.platform, name, 1)
        bench.platform.client.delete(name)
    return {"registered_to_answer_ms": percentiles(registered, 1), "deploy_to_live_ms": percentiles(live, 1)}


def _register(bench: Bench, name: str, code: int) -> float:
    client = bench.platform.client
    began = time.perf_counter()
    document = {"name": name, "runtime": "python", "source": {"files": {"main.py": CODE % code}}}
    bench.platform.ready(client.register(document, wait_s=WITHIN_S))
    bench.platform.once(name)
    return time.perf_counter() - began
