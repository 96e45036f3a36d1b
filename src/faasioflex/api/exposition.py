"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]  # suffix of the family's name, labels, value


@dataclass(frozen=True)
class Family:
    """``text``: what it is, one line. The name of a counter ends in ``_total``."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    samples: Iterable[Sample]


def exposition(families: Iterable[Family]) -> str:
    """The whole document. Families without samples are told, too."""
    return "".join(line + "\n" for family in families for line in _lines(family))


def histogram(labels: Labels, up_to: Iterable[tuple[float, int]], count: int, total: float) -> list[Sample]:
    """``up_to``: bound -> how many were not above it, rising; ``total``: the sum of all values."""
    bounds = [*up_to, (math.inf, count)]
    buckets: list[Sample] = [("_bucket", {**labels, "le": number(bound)}, held) for bound, held in bounds]
    return [*buckets, ("_sum", labels, total), ("_count", labels, count)]


def number(value: float) -> str:
    """Exact: a counter that is rounded stands still and leaps."""
    if isinstance(value, int):
        return str(value)
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))


def _lines(family: Family) -> Iterable[str]:
    name = family.name
    yield f"# HELP {name} {_escaped(family.text)}"
    yield f"# TYPE {name} {family.kind}"
    for suffix, labels, value in family.samples:
        if labels:
            shown = ",".join([f'{label}="{_quoted(content)}"' for label, content in labels.items()])
            yield f"{name}{suffix}{{{shown}}} {number(value)}"
        else:
            yield f"{name}{suffix} {number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _quoted(text: str) -> str:
    return text if text.isalnum() else _escaped(text).replace('"', r"\"")
