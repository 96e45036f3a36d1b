"""Alerts that fire."""

from __future__ import annotations

from collections.abc import Iterator

from faasioflex.api.alerts.book import Alerts
from faasioflex.api.exposition import Family, Sample
from faasioflex.api.families.labels import of_function


def families(alerts: Alerts) -> Iterator[Family]:
    firing: list[Sample] = []
    for one in alerts.firing():
        about = of_function(one.function) if one.function is not None else {}
        firing.append(("", {"kind": one.kind, **about}, 1))
    yield Family("ffx_alerts_firing", "gauge", "Alerts that fire, each with 1", firing)
