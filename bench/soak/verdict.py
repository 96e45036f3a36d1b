"""Whether it is flat. Two questions, for each figure the one that fits it:

* **Under load**, of memory: is the median of the last third of the samples (after the warm-up) about that of the first third?
  A leak grows with what was done, noise does not. Allocators keep what they freed and collectors run when they like, so ``5 %``
  or ``8 MiB`` (whichever is more) are no leak; at the usual 40 actions a second over six minutes that would be 1 KiB for each.
* **At rest**, of everything that can be counted: when all functions have gone to zero and results have ended, is it what it was
  at rest before the load? Exactly, but for the descriptors and consumers of connections that are about to be closed.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from bench.soak.figures import Figures

MEMORY_PERCENT, MEMORY_MIB = 5.0, 8.0
SLACK = {"descriptors of": 6, "consumers": 3, "files of": 0, "sandboxes": 0, "control groups": 0, "keys of": 0}
# What only grows to a bound that the soak does not reach, or is kept on purpose: shown, not judged.
KEPT = (
    "builds",
    "keys of ffx_revoked",
    "keys of ffx_code",
    "keys of ffx_revisions",
    "keys of ffx_idempotency",
    "keys of ffx_invocations",
)


@dataclass(frozen=True)
class Line:
    """``begin`` and ``end``: medians under load; ``before`` and ``after``: at rest."""

    name: str
    before: float
    begin: float
    end: float
    after: float
    wrong: str | None  # why it is not flat


def lines(before: Figures, samples: list[Figures], after: Figures) -> list[Line]:
    """``samples``: under load, after the warm-up, in order; at least three."""
    third = max(len(samples) // 3, 1)
    found = []
    for name in sorted({*before, *after}):
        begin, end = (
            statistics.median(sample.get(name, 0.0) for sample in part) for part in (samples[:third], samples[-third:])
        )
        rest = before.get(name, 0.0), after.get(name, 0.0)
        found.append(Line(name, rest[0], begin, end, rest[1], _wrong(name, begin, end, *rest)))
    return found


def _wrong(name: str, begin: float, end: float, before: float, after: float) -> str | None:
    if name.startswith("memory of"):
        most = max(begin * MEMORY_PERCENT / 100, MEMORY_MIB)
        return f"grew by {end - begin:.1f} MiB under load, {most:.1f} are noise" if end - begin > most else None
    if name in KEPT:
        return None
    slack = next((slack for prefix, slack in SLACK.items() if name.startswith(prefix)), 0)
    if after - before > slack:
        return f"{after:g} at rest, {before:g} before the load"
    return None


def table(found: list[Line]) -> str:
    rows: list[tuple[str, ...]] = [("", "at rest", "begin", "end", "at rest", "")]
    rows += [(one.name, *map(_figure, (one.before, one.begin, one.end, one.after)), one.wrong or "") for one in found]
    widths = [max(len(row[place]) for row in rows) for place in range(5)]
    return "\n".join(
        "  ".join(
            [
                row[0].ljust(widths[0]),
                *(cell.rjust(width) for cell, width in zip(row[1:5], widths[1:], strict=True)),
                row[5],
            ]
        ).rstrip()
        for row in rows
    )


def _figure(value: float) -> str:
    return f"{value:g}"
