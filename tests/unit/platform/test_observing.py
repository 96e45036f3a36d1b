"""Settings of traces and alerts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from faasioflex.invoker.traces import UNTRACED
from faasioflex.model.errors import Invalid
from faasioflex.platform.observing import announced, read_headers, thresholds_of, traces_of, tracing_of
from faasioflex.platform.settings import Settings


def test_traces_are_off_and_cost_no_import_until_a_collector_is_named() -> None:
    assert tracing_of(Settings()) is None
    assert traces_of(Settings()) is UNTRACED
    program = (
        "import sys; from faasioflex.platform.settings import Settings; import faasioflex.platform.parts.wiring;"
        "import faasioflex.invoker.service; from faasioflex.platform.observing import traces_of; traces_of(Settings());"
        "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("given", "endpoint"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
        ("https://otlp.example.org/tenant/", "https://otlp.example.org/tenant/v1/traces"),
        ("http://c/v1/traces", "http://c/v1/traces"),
    ],
)
def test_where_traces_go(given: str, endpoint: str, tmp_path: Path) -> None:
    headers = tmp_path / "headers"
    headers.write_text("# of the collector\nX-Api-Key: a:b\n\nAuthorization:Basic eA==\n")
    found = tracing_of(Settings(otlp_endpoint=given, otlp_headers_file=str(headers), trace_ratio=0.5))
    assert found is not None
    assert (found.endpoint, found.ratio) == (endpoint, 0.5)
    assert found.headers == (("x-api-key", "a:b"), ("authorization", "Basic eA=="))
    assert "eA==" not in repr(found)


def test_a_file_that_holds_no_headers_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("no colon\n")
    with pytest.raises(ValueError, match="line 1"):
        read_headers(file)
    with pytest.raises(ValueError, match="cannot be read"):
        read_headers(tmp_path / "missing")


@pytest.mark.parametrize(
    "wrong",
    [
        {"otlp_endpoint": "collector:4318"},
        {"otlp_headers_file": "/nonexistent"},
        {"trace_ratio": 1.5},
        {"alert_error_percent": 101},
        {"alert_crashes": -1},
    ],
)
def test_wrong_ones_are_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        Settings.load(wrong, {})
    assert [error.pointer for error in refused.value.errors] == [f"/{name}" for name in wrong]


def test_thresholds_come_from_the_settings() -> None:
    found = thresholds_of(Settings.load({}, {"FFX_ALERT_CRASHES": "7", "FFX_ALERT_QUEUE_AGE_S": "0"}))
    assert (found.crashes, found.queue_age_s, found.error_percent) == (7, 0.0, 10.0)


def test_processes_are_those_that_are_announced(tmp_path: Path) -> None:
    file = tmp_path / "platform.json"
    assert announced(file) == {}
    file.write_text(json.dumps({"pid": 1, "processes": {"nats": 2}}))
    assert announced(file) == {"supervisor": 1, "nats": 2}
    file.write_text("{")
    assert announced(file) == {}
