"""Goals and tables of the measure cold_starts."""

from __future__ import annotations

from typing import Any

from bench.figures import Json

POOL_MS = {"python": (25, 50), "node": (40, 80), "go": (20, 40), "exec": (20, 40)}  # p50, p95
FRESH_MS = (120, 200)
THAW_MS = (5, 10)
MOST_OF_BARE = 1.3
EXEC_AT_ONCE_MS = 1500


def goals(found: dict[str, Any]) -> list[Json]:
    made = [
        _goal(f"first answer from the pool, {language}, p50 / p95", found["pool_ms"][language], wanted)
        for language, wanted in POOL_MS.items()
        if language in found["pool_ms"]
    ]
    made.append(_goal("first answer without a pool, python, p50 / p95", found["fresh_ms"], FRESH_MS))
    if "thaw_ms" in found:
        made.append(_goal("first answer of a frozen instance, p50 / p95", found["thaw_ms"], THAW_MS))
    at_once = found["at_once"]
    if "python" in at_once:
        ratio, count = at_once["python"]["ratio_p95"], at_once["python"]["functions"]
        name = f"{count} functions at once : {count} bare sandboxes, python, p95"
        made.append({"name": name, "goal": f"<= {MOST_OF_BARE}", "measured": ratio, "met": ratio <= MOST_OF_BARE})
    if "exec" in at_once:
        p95, count = at_once["exec"]["ms"]["p95"], at_once["exec"]["functions"]
        name, goal = f"{count} functions at once, exec, p95", f"< {EXEC_AT_ONCE_MS} ms"
        made.append({"name": name, "goal": goal, "measured": f"{p95} ms", "met": p95 < EXEC_AT_ONCE_MS})
    return made


def _goal(name: str, ms: dict[str, float], wanted: tuple[int, int]) -> Json:
    met = ms["p50"] <= wanted[0] and ms["p95"] <= wanted[1]
    goal = f"<= {wanted[0]} / {wanted[1]} ms"
    return {"name": name, "goal": goal, "measured": f"{ms['p50']} / {ms['p95']} ms", "met": met}


def section(found: dict[str, Any]) -> str:
    kinds = {f"{language}, from the pool": ms for language, ms in found["pool_ms"].items()}
    kinds["python, without a pool"] = found["fresh_ms"]
    if "thaw_ms" in found:
        kinds["python, frozen"] = found["thaw_ms"]
    for language, one in found["at_once"].items():
        kinds[f"{language}, {one['functions']} at once"] = one["ms"]
        kinds[f"{one['functions']} bare sandboxes, {language}"] = one["bare_ms"]
    lines = ["| first answer | p50, ms | p95, ms | min | max |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {name} | {ms['p50']} | {ms['p95']} | {ms['min']} | {ms['max']} |" for name, ms in kinds.items()]
    pool = found["pool"]
    said = (
        f"A spare was there for {pool.get('hits', 0)} starts that one could serve, and not for {pool.get('misses', 0)}."
    )
    return "### Cold starts\n\n" + "\n".join(lines) + f"\n\n{said}"
