"""What the install step takes from the machine's settings of pip and uv."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[3] / "tools/install"


@pytest.fixture
def registries(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("registries", TOOLS / "registries.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "registries", module)
    spec.loader.exec_module(module)
    return module


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def clean(home: Path, **environment: str) -> dict[str, str]:
    return {"XDG_CONFIG_DIRS": str(home / "none"), "PIP_CONFIG_FILE": str(home / "chosen.conf")} | environment


def test_without_any_setting_it_is_pypi(registries: ModuleType, tmp_path: Path) -> None:
    found = registries.read({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path)
    assert found.index == "https://pypi.org/simple"
    assert found.uv_environment == {}


def test_pips_index_reaches_uv(registries: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / ".config/pip/pip.conf", "[global]\nindex-url = https://mirror.example/simple/\ncert = /ca.pem\n")
    found = registries.read(clean(tmp_path), tmp_path)
    assert found.index == "https://mirror.example/simple"
    assert found.uv_environment["UV_DEFAULT_INDEX"] == "https://mirror.example/simple/"
    assert found.uv_environment["SSL_CERT_FILE"] == "/ca.pem"


def test_pips_environment_wins_over_its_files(registries: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / ".pip/pip.conf", "[global]\nindex_url = https://file.example\nproxy = http://p:1\n")
    found = registries.read(clean(tmp_path, PIP_INDEX_URL="https://env.example"), tmp_path)
    assert found.index == "https://env.example"
    assert found.uv_environment["HTTPS_PROXY"] == "http://p:1"


@pytest.mark.parametrize("name", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_uvs_own_settings_win(registries: ModuleType, tmp_path: Path, name: str) -> None:
    environment = clean(tmp_path, PIP_INDEX_URL="https://pip.example") | {name: "https://uv.example/simple"}
    found = registries.read(environment, tmp_path)
    assert found.index == "https://uv.example/simple"
    assert "UV_DEFAULT_INDEX" not in found.uv_environment


def test_uv_toml_wins_over_pip(registries: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / ".config/uv/uv.toml", '[[index]]\nurl = "https://toml.example/simple"\ndefault = true\n')
    found = registries.read(clean(tmp_path, PIP_INDEX_URL="https://pip.example"), tmp_path)
    assert found.index == "https://toml.example/simple"
    assert "UV_DEFAULT_INDEX" not in found.uv_environment


def test_further_indexes_links_and_hosts(registries: ModuleType, tmp_path: Path) -> None:
    write(
        tmp_path / "chosen.conf",
        f"[install]\nextra-index-url =\n  https://a.example\n  https://b.example\nfind-links = {tmp_path} /not/there\n"
        "trusted-host = a.example\nno-index = yes\n",
    )
    found = registries.read(clean(tmp_path), tmp_path)
    assert found.uv_environment["UV_INDEX"] == "https://a.example https://b.example"
    assert found.uv_environment["UV_FIND_LINKS"] == str(tmp_path)
    assert found.uv_environment["UV_INSECURE_HOST"] == "a.example"
    assert found.uv_environment["UV_NO_INDEX"] == "1"
    assert found.find_links == (str(tmp_path),)
