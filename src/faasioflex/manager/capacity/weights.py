"""Weights of namespaces: ``shop=3 lab=0.5``; a namespace that is not named has 1."""

from __future__ import annotations

import math


def parse_weights(text: str) -> dict[str, float]:
    """Entries separated by spaces or commas. Raises: ValueError with a sentence."""
    found = {}
    for entry in text.replace(",", " ").split():
        name, separator, value = entry.partition("=")
        try:
            weight = float(value)
        except ValueError:
            weight = math.nan
        if not name or not separator or not 0.001 <= weight <= 1000:
            raise ValueError(f"{entry!r} must be NAMESPACE=WEIGHT with a weight from 0.001 to 1000, like shop=3")
        found[name] = weight
    return found
