"""The first call of a function that has no instance: several functions of each language, sent to zero and called one by one."""

from __future__ import annotations

from bench.bench import Bench, say
from bench.figures import Json, percentiles

SCALING = {"min_instances": 0, "max_instances": 1, "idle_s": 600}


def measure(bench: Bench) -> Json:
    platform, amount = bench.platform, bench.amount
    names: list[tuple[str, str]] = []  # language, function
    for language in bench.languages():
        for number in range(amount.cold_functions):
            name = f"cold-{language.name}-{number}"
            platform.deploy(name, language.name, language.apps[0].files, scaling=SCALING)
            names.append((language.name, name))
    took: dict[str, list[float]] = {language: [] for language, _ in names}
    for number in range(amount.cold_rounds):
        say(f"  round {number + 1} of {amount.cold_rounds}: {len(names)} functions without an instance")
        platform.to_zero([name for _, name in names])
        for at in range(len(names)):  # the languages in turn
            spoken, name = names[(at % len(took)) * amount.cold_functions + at // len(took)]
            seconds, _ = platform.once(name)
            took[spoken].append(1000 * seconds)
    for _, name in names:
        platform.client.delete(name)
    return {language: {"ms": percentiles(values, 1)} for language, values in took.items()}
