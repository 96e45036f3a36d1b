"""docs/metrics.md and the code name the same figures, alerts and settings."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

from faasioflex.api.alerts.rules import Thresholds, rules
from faasioflex.api.app import create_app
from faasioflex.api.prometheus import families
from faasioflex.bus.memory import MemoryBus
from faasioflex.model.alert import AlertKind
from faasioflex.platform.settings import Settings
from support.api_client import ready
from support.identity import TestIdentity

PAGE = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text()


async def test_every_family_is_there_with_its_kind_and_meaning() -> None:
    bus = MemoryBus()
    app = create_app(bus, TestIdentity(bus).api, invoker_socket=Path("/nonexistent"), readiness=ready)
    rows = re.findall(r"^\| `(ffx_\w+)` \| (\w+) \|([^|]*)\| (.+) \|$", PAGE, re.MULTILINE)
    told = {name: (kind, text) for name, kind, _, text in rows}
    assert len(told) == len(rows)
    assert told == {family.name: (family.kind, family.text) for family in families(app.state.services)}
    await bus.close()


def test_every_alert_is_there_with_its_setting() -> None:
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| .+ \| `(alert_\w+)` \| .+ \|$", PAGE, re.MULTILINE))
    assert set(rows) == set(get_args(AlertKind)) == set(rules(Thresholds()))
    settings = {field.name for field in dataclasses.fields(Settings)}
    assert set(rows.values()) | {"alert_after_s"} == {name for name in settings if name.startswith("alert_")}
    assert {"otlp_endpoint", "otlp_headers_file", "trace_ratio"} <= settings
