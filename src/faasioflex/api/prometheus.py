"""The platform's figures for Prometheus. There are series of functions that have or lately had calls or instances, not of all."""

from __future__ import annotations

from collections.abc import Iterator

from faasioflex.api import processes
from faasioflex.api.context import Services
from faasioflex.api.exposition import Family
from faasioflex.api.families import alerts, calls, platform, present


def families(services: Services) -> Iterator[Family]:
    """Each of them always, without samples where there are none."""
    measures = services.measures
    totals = list(measures.totals())
    used = processes.of(services.pids())
    yield from platform.families(services.census, services.decisions, measures.present, used)
    known = (function for function, _ in totals)
    yield from present.families(services.load.now(), measures.present, known, services.exists)
    yield from calls.families(totals)
    yield from alerts.families(services.alerts)
