"""From results to docs/performance.md: goals, tables and charts, between the two marks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import charts, cold_report, queue_report
from bench.figures import Json

BEGIN, END = "<!-- measured: written by make bench -->", "<!-- end of what make bench writes -->"
MIB_IDLE = 250
FIRST_CALL_MS, ADDED_MS = 150, 0.2
GRANT_MS, LOGIN_MS = 50, 300
CALM_S, ZERO_S = 3, 3  # after the step; beyond idle_s, for a decision and a drain


def goals(measures: dict[str, Any]) -> list[Json]:
    """Each with ``name``, ``goal``, ``measured``, ``met``; only what was measured."""
    found: list[Json] = []
    for ratio in measures.get("throughput", {}).get("ratios", []):
        if ratio["goal"]:
            measured = ratio["calls"]["median"]
            name = f"calls per second, {ratio['of']} : {ratio['to']}"
            found.append(_goal(name, f">= {ratio['goal']}", measured, measured >= ratio["goal"]))
    for language, figures in measures.get("latency", {}).items():
        measured = figures["added_ms"]["median"]
        name = f"added p50 of a call, {language}"
        found.append(_goal(name, f"<= {ADDED_MS} ms", f"{measured:.3f} ms", measured <= ADDED_MS))
    if "python" in measures.get("first_call", {}):
        measured = measures["first_call"]["python"]["ms"]["p50"]
        found.append(
            _goal("first call, python, p50", f"< {FIRST_CALL_MS} ms", f"{measured} ms", measured < FIRST_CALL_MS)
        )
    if "cold_starts" in measures:
        found += cold_report.goals(measures["cold_starts"])
    found += _identity_goals(measures)
    if "step_load" in measures:
        found += _step_goals(measures["step_load"])
    if "queue" in measures:
        found += queue_report.goals(measures["queue"])
    if "many_functions" in measures:
        found += _many_goals(measures["many_functions"])
    if "idle" in measures:
        measured = measures["idle"]["total_mib"]
        met = measured * 1024 * 1024 < MIB_IDLE * 1e6
        found.append(_goal("idle platform, PSS", f"< {MIB_IDLE} MB", f"{measured * 1.048576:.0f} MB", met))
    return found


def _step_goals(found: dict[str, Any]) -> list[Json]:
    calm, zero = found["calm_after_s"]["median"], found["zero_after_s"]["median"]
    latest, failed = found["idle_s"] + ZERO_S, found["failed"]
    return [
        _goal("step to ten times the load, until calm", f"< {CALM_S} s", f"{calm} s", calm < CALM_S),
        _goal("step and back to zero, failed calls", "0", failed, failed == 0),
        _goal("back to zero after the last call", f"< {latest:g} s", f"{zero} s", zero < latest),
    ]


def _many_goals(found: dict[str, Any]) -> list[Json]:
    all_, name = found["with_all"], f"{found['functions']:,} functions"
    live, cpu = all_["in_place_ms"]["p95"], all_["idle_cpu_percent"]["all"]
    growth, each, ready = found["gateway_growth_mib"], found["kib_per_function_all"], all_["restart_to_ready_s"]
    return [
        _goal(f"{name}, growth of the gateway", "< 10 MB", f"{growth * 1.048576:.1f} MB", growth * 1.048576 < 10),
        _goal(f"{name}, memory of each", "< 30 KB", f"{each * 1.024:.1f} KB", each * 1.024 < 30),
        _goal(f"{name}, restart to ready", "< 15 s", f"{ready} s", ready < 15),
        _goal(f"{name}, change live, p95", "< 50 ms", f"{live} ms", live < 50),
        _goal(f"{name}, CPU at idle", "< 3 % of a core", f"{cpu} %", cpu < 3),
    ]


def _identity_goals(measures: dict[str, Any]) -> list[Json]:
    found: list[Json] = []
    for ratio, least in zip(measures.get("gateway", {}).get("ratios", []), (0.9, 0.9), strict=False):
        measured = ratio["calls"]["median"]
        name = f"calls per second at the gateway, {ratio['of']} : {ratio['to']}"
        found.append(_goal(name, f">= {least}", measured, measured >= least))
    if "people" in measures:
        grant, login = measures["people"]["grant_ms"]["p95"], measures["people"]["login_ms"]["p95"]
        found.append(_goal("a grant counts at the gateway, p95", f"< {GRANT_MS} ms", f"{grant} ms", grant < GRANT_MS))
        found.append(_goal("a login, p95", f"< {LOGIN_MS} ms", f"{login} ms", login < LOGIN_MS))
    return found


def write(document: Path, result: Json) -> None:
    """Replace what is between the marks; the text around them is people's."""
    text = document.read_text()
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{document.name} has lost its marks {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{render(result)}\n{END}{after}")


def render(result: Json) -> str:
    measures: dict[str, Any] = result["measures"]
    parts = [_machine(result), _goals(result["goals"])]
    makers = {
        "throughput": _throughput,
        "latency": _latency,
        "breakdown": _breakdown,
        "first_call": _first_call,
        "cold_starts": cold_report.section,
        "deploys": _deploys,
        "gateway": _gateway,
        "people": _people,
        "queue": queue_report.section,
        "step_load": _step_load,
        "many_functions": _many_functions,
        "streams": _streams,
        "idle": _idle,
    }
    parts += [make(measures[name]) for name, make in makers.items() if name in measures]
    if result["left_out"]:
        parts.append("Left out:\n\n" + "\n".join(f"- {line}" for line in result["left_out"]))
    return "\n\n".join(parts)


def _machine(result: Json) -> str:
    machine: dict[str, Any] = result["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return (
        f"Measured on {str(result['date'])[:10]}: {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['kernel']}, {'root' if machine['as_root'] else 'a plain user'}; {versions}. Load by {result['load_by']}; "
        f"load of the machine before: {machine['load_before']}."
    )


def _goals(goals: list[dict[str, Any]]) -> str:
    rows = [[one["name"], one["goal"], str(one["measured"]), "yes" if one["met"] else "**no**"] for one in goals]
    return "### Goals\n\n" + table(["what", "goal", "measured", "met"], rows)


def _throughput(found: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{one['calls_per_s']['median']:,.0f} ({one['calls_per_s']['min']:,.0f} to {one['calls_per_s']['max']:,.0f})",
            f"{one['cpu_us']['median']:.0f}",
            f"{one['envoy_us']['median']:.0f}" if "envoy_us" in one else "",
            f"{one['p50_ms']['median']:.2f}",
            f"{one['p99_ms']['median']:.2f}",
        ]
        for name, one in found["contenders"].items()
    ]
    ratios = [
        [
            f"{one['of']} : {one['to']}",
            f"{one['calls']['median']:.2f} ({one['calls']['min']:.2f} to {one['calls']['max']:.2f})",
            f"{one['cpu']['median']:.2f}",
            f"{one['envoy_cpu']:.2f}" if "envoy_cpu" in one else "",
        ]
        for one in found["ratios"]
    ]
    header = ["server", "calls/s, median (min to max)", "CPU per call, µs", "of that Envoy, µs", "p50, ms", "p99, ms"]
    bars = {name: one["calls_per_s"]["median"] for name, one in found["contenders"].items()}
    return "\n\n".join(
        (
            f"### {found['connections']} connections",
            charts.bars("Calls per second", bars, "calls/s"),
            table(header, rows),
            table(["ratio", "calls/s, median (min to max)", "CPU per call", "Envoy's CPU per call"], ratios),
        )
    )


def _gateway(found: dict[str, Any]) -> str:
    rows = [
        [
            name,
            f"{one['calls_per_s']['median']:,.0f}",
            f"{one['envoy_us']['median']:.0f}",
            f"{one['p50_ms']['median']:.2f}",
        ]
        for name, one in found["contenders"].items()
    ]
    ratios = [
        [
            f"{one['of']} : {one['to']}",
            f"{one['calls']['median']:.2f} ({one['calls']['min']:.2f} to {one['calls']['max']:.2f})",
            f"{one['envoy_cpu']['median']:.2f}",
        ]
        for one in found["ratios"]
    ]
    live = found["grant_live_ms"]
    return "\n\n".join(
        (
            "### The gateway with tokens and lists of callers",
            table(["gateway to the same echo", "calls/s, median", "Envoy's CPU per call, µs", "p50, ms"], rows),
            table(["ratio", "calls/s, median (min to max)", "Envoy's CPU per call"], ratios),
            f"With all of these grants a new caller is on Envoy's own list after {live['p50']} ms (p50), {live['p95']} ms (p95); "
            "until then the invoker, which is asked about everybody who is not listed, serves them.",
        )
    )


def _people(found: dict[str, Any]) -> str:
    rows = [
        [what, str(found[key]["p50"]), str(found[key]["p95"])]
        for what, key in (
            ("a grant, from asking for it until the caller is served", "grant_ms"),
            ("a login", "login_ms"),
        )
    ]
    return "### People\n\n" + table(["what", "p50, ms", "p95, ms"], rows)


def _latency(found: dict[str, Any]) -> str:
    rows = [
        [
            language,
            f"{one['own_socket_ms']['median']:.3f}",
            f"{one['platform_ms']['median']:.3f}",
            f"{one['added_ms']['median']:.3f} ({one['added_ms']['min']:.3f} to {one['added_ms']['max']:.3f})",
        ]
        for language, one in found.items()
    ]
    header = ["language", "own socket, p50 ms", "through the gateway, p50 ms", "added, ms (min to max of blocks)"]
    return "### One call after the other\n\n" + table(header, rows)


def _breakdown(found: dict[str, Any]) -> str:
    return "\n\n".join(
        (
            "### Where the time goes",
            "A call of a Python function that runs, one after the other (microseconds):",
            charts.timeline("One call, µs", found["call_us"]),
            "The first call of a Python function without an instance (milliseconds, median of each stage):",
            charts.timeline("First call, ms", found["first_call_ms"]),
        )
    )


def _first_call(found: dict[str, Any]) -> str:
    rows = [
        [
            language,
            f"{one['ms']['p50']:.0f}",
            f"{one['ms']['p95']:.0f}",
            f"{one['ms']['min']:.0f}",
            str(one["ms"]["calls"]),
        ]
        for language, one in found.items()
    ]
    bars = {language: one["ms"]["p50"] for language, one in found.items()}
    return "\n\n".join(
        (
            "### First call of a function without an instance",
            charts.bars("First call, p50", bars, "ms"),
            table(["language", "p50, ms", "p95, ms", "least, ms", "calls"], rows),
        )
    )


def _deploys(found: dict[str, Any]) -> str:
    names = {"registered_to_answer_ms": "register to first answer", "deploy_to_live_ms": "deploy of new code to live"}
    rows = [[names[key], f"{one['p50']:.0f}", f"{one['p95']:.0f}", str(one["calls"])] for key, one in found.items()]
    return "### Deploying (python)\n\n" + table(["what", "p50, ms", "p95, ms", "times"], rows)


def _step_load(found: dict[str, Any]) -> str:
    def spread(name: str) -> str:
        figures = found[name]
        return f"{figures['median']} ({figures['min']} to {figures['max']})"

    rows = [
        ["p95 of one caller, ms", spread("p95_idle_ms")],
        ["p95 at its worst, in a window of 250 ms", spread("p95_worst_ms")],
        ["p95 under twice the first after the step, s", spread("calm_after_s")],
        ["p95 at the end of the step, ms", spread("p95_after_ms")],
        ["instances then", spread("instances")],
        [f"no instance any more after the last call (idle_s {found['idle_s']:g}), s", spread("zero_after_s")],
        [f"failed of {found['calls']:,} calls", str(found["failed"])],
    ]
    low, high = found["connections"]
    return f"### From {low} callers to {high}, and to none\n\n" + table(["what", "measured (min to max)"], rows)


def _many_functions(found: dict[str, Any]) -> str:
    one, all_, each = found["with_one"], found["with_all"], found["kib_per_function"]

    def row(what: str, figure: Callable[[dict[str, Any]], object]) -> list[str]:
        return [what, str(figure(one)), str(figure(all_))]

    rows = [
        row("memory of the platform, MiB", lambda of: round(sum(of["mib"].values()))),
        row("of that the gateway, MiB", lambda of: of["mib"]["envoy"]),
        row("restart to ready, s", lambda of: of["restart_to_ready_s"]),
        row("first page of the list (100), p50 / p95 ms", lambda of: _both(of["first_page_ms"])),
        row("last page, p50 / p95 ms", lambda of: _both(of["last_page_ms"])),
        row("the whole list, ms", lambda of: of["all_pages_ms"]),
        row("first call of one by chance (python), p50 / p95 ms", lambda of: _both(of["first_call_ms"])),
        row("change of visibility to live, p50 / p95 ms", lambda of: _both(of["in_place_ms"])),
        row("deploy of new code to live, p50 / p95 ms", lambda of: _both(of["deploy_ms"])),
        row("CPU at idle, % of a core", lambda of: of["idle_cpu_percent"]["all"]),
    ]
    by_process = ", ".join(f"{name} {kib}" for name, kib in each.items() if kib)
    return "\n\n".join(
        (
            f"### {found['functions']:,} registered functions",
            table(["what", "with one", f"with {found['functions']:,}"], rows),
            f"Each function costs {found['kib_per_function_all']} KiB of memory that is no file's ({by_process}); the gateway "
            f"grows by {found['gateway_growth_mib']} MiB in all.",
        )
    )


def _both(figures: dict[str, Any]) -> str:
    return f"{figures['p50']} / {figures['p95']}"


def _streams(found: dict[str, Any]) -> str:
    def of(one: dict[str, Any]) -> list[str]:
        grown = one["grown_mib"]
        return [f"{one['mib_per_s']:,}", *(str(grown[part]) for part in ("envoy", "invoker", "instances"))]

    rows = [[f"{way}, {name}", *of(one)] for way, both in found["ways"].items() for name, one in both.items()]
    late = [[f"an event, {way}", _both(one)] for way, one in found["event_ms"].items()]
    late += [[f"a whole answer: {what}", _both(one)] for what, one in found["answer_ms"].items()]
    return "\n\n".join(
        (
            "### Streams and kept answers",
            f"{found['mib']:,} MiB in one call, and by how much the memory of each part grew while they passed:",
            table(["way", "MiB/s", "gateway, MiB", "invoker, MiB", "instance, MiB"], rows),
            "From the function's writing an event to the client's having read it, and what whole answers take:",
            table(["what", "p50 / p95, ms"], late),
        )
    )


def _idle(found: dict[str, Any]) -> str:
    rows = [[name, f"{mib:.0f}"] for name, mib in found["mib"].items()] + [["all", f"{found['total_mib']:.0f}"]]
    return "### Memory of an idle platform\n\n" + table(["process", "PSS, MiB"], rows)


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _goal(name: str, goal: str, measured: object, met: bool) -> Json:
    return {"name": name, "goal": goal, "measured": measured, "met": met}
