"""Which gateway is in front, and what APISIX needs to be told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from faasioflex.cli.main import app
from faasioflex.model.errors import Invalid
from faasioflex.platform.apisix import apisix_settings, require_tcp
from faasioflex.platform.settings import Settings

GIVEN = {"gateway": "apisix", "apisix_admin": "http://apisix:9180/", "apisix_key_file": "key"}


def test_what_the_driver_is_told() -> None:
    made = apisix_settings(Settings.load(GIVEN, {}), "proof")
    assert (made.admin_url, made.key_file) == ("http://apisix:9180", Path.cwd() / "key")
    assert made.metrics_url == "http://apisix:9091/apisix/prometheus/metrics"
    assert made.discovery == "http://127.0.0.1:8001/oidc/.well-known/openid-configuration"
    more = {"FFX_APISIX_API": "api:1", "FFX_APISIX_INVOKER": "invoker:2", "FFX_APISIX_METRICS": "http://m/"}
    made = apisix_settings(Settings.load(GIVEN, more), "proof")
    assert (made.api, made.invoker, made.metrics_url) == ("api:1", "invoker:2", "http://m/")
    assert "proof" not in repr(replace(made, proof="proof"))


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"gateway": "nginx"}, "gateway"),
        ({"gateway": "apisix"}, "apisix_admin"),
        (GIVEN | {"apisix_key_file": ""}, "apisix_key_file"),
        (GIVEN | {"apisix_admin": "apisix:9180"}, "apisix_admin"),
        (GIVEN | {"apisix_admin": "http://admin:secret@apisix"}, "apisix_admin"),
        (GIVEN | {"apisix_api": "/run/api.sock"}, "apisix_api"),
        (GIVEN | {"apisix_invoker": "invoker:"}, "apisix_invoker"),
    ],
)
def test_what_is_missing_or_wrong_is_named(wrong: dict[str, str], name: str) -> None:
    with pytest.raises(Invalid, match=name):
        Settings.load(wrong, {})


@pytest.mark.parametrize("runtime", ["sandbox", "process"])
def test_runtimes_on_unix_sockets_are_refused_under_apisix(runtime: str) -> None:
    with pytest.raises(Invalid, match=f"unix sockets.*--runtime {runtime}"):
        require_tcp(Settings.load({**GIVEN, "runtime": runtime}, {}))
    require_tcp(Settings.load({**GIVEN, "runtime": "docker"}, {}))
    require_tcp(Settings.load({"runtime": runtime}, {}))


def test_up_brings_its_own_envoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(f"FFX_{name.upper()}", value)
    said = CliRunner().invoke(app, ["up", "--data", str(tmp_path)])
    assert isinstance(said.exception, Invalid)
    assert "--runtime sandbox" in said.exception.message
