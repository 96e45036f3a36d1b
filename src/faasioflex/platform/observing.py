"""Traces and alerts, out of the settings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from faasioflex.model.errors import Invalid

if TYPE_CHECKING:
    from faasioflex.api.alerts.rules import Thresholds
    from faasioflex.gateway.envoy.settings import Tracing
    from faasioflex.invoker.traces import Traces

TRACES_PATH = "/v1/traces"
_FIELD = re.compile(r"([A-Za-z0-9!#$%&'*+.^_|~-]+)\s*:\s*([\t\x20-\x7e]*)")
_PERCENTS = ("alert_overload_percent", "alert_error_percent", "alert_capacity_percent")


class ObservingSettings(Protocol):
    """Those of ``Settings`` that are looked at."""

    @property
    def otlp_endpoint(self) -> str: ...
    @property
    def otlp_headers_file(self) -> str | None: ...
    @property
    def trace_ratio(self) -> float: ...
    @property
    def alert_overload_percent(self) -> float: ...
    @property
    def alert_error_percent(self) -> float: ...
    @property
    def alert_queue_age_s(self) -> float: ...
    @property
    def alert_crashes(self) -> int: ...
    @property
    def alert_capacity_percent(self) -> float: ...
    @property
    def alert_after_s(self) -> float: ...


def observing_problems(settings: ObservingSettings) -> Iterator[tuple[str, str]]:
    """Name of the setting, and a sentence."""
    if settings.otlp_endpoint and not _is_endpoint(settings.otlp_endpoint):
        yield "otlp_endpoint", "must be a URL like http://127.0.0.1:4318 or https://collector.example.org"
    if settings.otlp_headers_file is not None:
        try:
            read_headers(Path(settings.otlp_headers_file))
        except ValueError as error:
            yield "otlp_headers_file", str(error)
    if not 0 <= settings.trace_ratio <= 1:
        yield "trace_ratio", "must be 0 (none) to 1 (all)"
    for name in _PERCENTS:
        if not 0 <= getattr(settings, name) <= 100:
            yield name, "must be 0 (no such alert) to 100"
    for name in ("alert_queue_age_s", "alert_crashes", "alert_after_s"):
        if not 0 <= getattr(settings, name) <= 86_400:
            yield name, "must be 0 to 86400"


def read_headers(file: Path) -> tuple[tuple[str, str], ...]:
    """Lines ``NAME: VALUE``; empty ones and those that begin with ``#`` are passed over. Raises: ValueError with a sentence."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _FIELD.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"line {number} of {file} is not NAME: VALUE")
        found.append((match[1].lower(), match[2].strip()))
    return tuple(found)


def tracing_of(settings: ObservingSettings) -> Tracing | None:
    """None while traces are off. Raises: Invalid, where the file of headers has become unreadable."""
    if not settings.otlp_endpoint:
        return None
    from faasioflex.gateway.envoy.settings import Tracing

    endpoint = settings.otlp_endpoint.rstrip("/")
    if not endpoint.endswith(TRACES_PATH):
        endpoint += TRACES_PATH
    try:
        headers = read_headers(Path(settings.otlp_headers_file)) if settings.otlp_headers_file is not None else ()
    except ValueError as error:
        raise Invalid(f"otlp_headers_file: {error}") from error
    return Tracing(endpoint, settings.trace_ratio, headers)


def traces_of(settings: ObservingSettings) -> Traces:
    """Of a process whose calls are traced, if they are."""
    tracing = tracing_of(settings)
    if tracing is None:
        from faasioflex.invoker.traces import UNTRACED

        return UNTRACED
    from faasioflex.platform.tracing import OtlpTraces

    return OtlpTraces(tracing)


def thresholds_of(settings: ObservingSettings) -> Thresholds:
    from faasioflex.api.alerts.rules import Thresholds

    return Thresholds(
        overload_percent=settings.alert_overload_percent,
        crashes=settings.alert_crashes,
        queue_age_s=settings.alert_queue_age_s,
        error_percent=settings.alert_error_percent,
        capacity_percent=settings.alert_capacity_percent,
        after_s=settings.alert_after_s,
    )


def announced(platform_json: Path) -> Mapping[str, int]:
    """The platform's processes by name, out of platform.json; none while it is not there."""
    try:
        document = json.loads(platform_json.read_text())
        return {"supervisor": int(document["pid"]), **{name: int(pid) for name, pid in document["processes"].items()}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not (parts.query or "@" in parts.netloc)
