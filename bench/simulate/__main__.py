"""``python -m bench.simulate [--seed N] [--start-s S] [--functions N] [--hours H] [--quick]``: a table, and bench/results/simulate.json."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.figures import Json
from bench.simulate import azure
from bench.simulate.course import Simulation
from bench.simulate.figures import figures
from bench.simulate.knative import Knative
from bench.simulate.policies import Ours, Scaler
from bench.simulate.trace import Trace, shapes
from faasioflex.model.function import Scaling

RESULT = Path(__file__).parents[1] / "results" / "simulate.json"
MOST = 100
POLICIES: dict[str, Callable[[Trace], Scaler]] = {
    "faasioflex": lambda trace: Ours(Scaling(max_instances=MOST), trace.concurrency),
    "faasioflex, idle_s 60": lambda trace: Ours(Scaling(max_instances=MOST, idle_s=60.0), trace.concurrency),
    "knative": lambda trace: Knative(trace.concurrency, MOST),
}
COLUMNS = (
    ("calls", "calls"),
    ("cold_starts", "cold"),
    ("too_few", "too few"),
    ("too_many", "too many"),
    ("instance_s", "instance s"),
    ("wait_p95_ms", "wait p95 ms"),
    ("wait_p99_ms", "p99 ms"),
    ("changes", "changes"),
)


def simulate(groups: dict[str, Sequence[Trace]], start_s: float) -> Json:
    """Every group of traces through every policy: figures by group and policy."""
    found: Json = {}
    for name, traces in groups.items():
        print(f"{name} …", file=sys.stderr)
        found[name] = {
            policy: figures([Simulation(trace, make(trace), start_s).run() for trace in traces], traces[0].concurrency)
            for policy, make in POLICIES.items()
        }
    return found


def table(found: Json) -> str:
    head = ("trace", "policy", *(title for _, title in COLUMNS))
    lines = [head]
    for name, by_policy in found.items():
        for policy, values in by_policy.items():
            cells = (f"{values[key]:.1%}" if key.startswith("too") else f"{values[key]}" for key, _ in COLUMNS)
            lines.append((name, policy, *cells))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same figures")
    parser.add_argument(
        "--start-s", type=float, default=0.5, help="from the decision for an instance to its first call"
    )
    parser.add_argument("--functions", type=int, default=100, help="of the Azure shape")
    parser.add_argument("--hours", type=float, default=2.0, help="of the Azure shape")
    parser.add_argument("--quick", action="store_true", help="short traces: does it work?")
    options = parser.parse_args()
    groups: dict[str, Sequence[Trace]] = {
        trace.name: [trace] for trace in shapes(options.seed, 0.2 if options.quick else 1.0)
    }
    count, hours = (20, 0.5) if options.quick else (options.functions, options.hours)
    groups["azure-2019"] = azure.functions(count, hours, options.seed)
    found = simulate(groups, options.start_s)
    print(table(found))
    if not options.quick:
        given = {"seed": options.seed, "start_s": options.start_s, "functions": count, "hours": hours}
        RESULT.write_text(json.dumps({**given, "traces": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
