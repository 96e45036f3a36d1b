from __future__ import annotations

from pathlib import Path

from faasioflex.runtime.registries import machine_registries


def test_nothing_is_set(tmp_path: Path) -> None:
    found = machine_registries({}, tmp_path, tmp_path)
    assert found.extra == ()
    assert found.certificates is None


def test_the_environment_wins_over_files_and_uv_over_pip(tmp_path: Path) -> None:
    (tmp_path / ".config/pip").mkdir(parents=True)
    (tmp_path / ".config/pip/pip.conf").write_text("[global]\nindex-url = https://pip.example/simple\n")
    assert machine_registries({}, tmp_path, tmp_path).default == "https://pip.example/simple"
    assert (
        machine_registries({"PIP_INDEX_URL": "https://env.example/simple"}, tmp_path, tmp_path).default
        == "https://env.example/simple"
    )
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text(
        '[[index]]\nurl = "https://uv.example/simple"\ndefault = true\n[[index]]\nname = "more"\nurl = "https://more.example/s"\n'
    )
    found = machine_registries({}, tmp_path, tmp_path)
    assert found.default == "https://uv.example/simple"
    assert found.extra == ("https://more.example/s",)
    assert (
        machine_registries({"UV_DEFAULT_INDEX": "corp=https://c.example/s"}, tmp_path, tmp_path).default
        == "https://c.example/s"
    )


def test_what_uv_is_told(tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("x")
    environ = {
        "UV_INDEX_URL": "https://a.example/s",
        "PIP_EXTRA_INDEX_URL": "https://b.example/s https://c.example/s",
        "PIP_CERT": str(pem),
        "HTTPS_PROXY": "http://proxy.example:3128",
        "SECRET": "not passed on",
    }
    assert machine_registries(environ, tmp_path, tmp_path).environment("/ffx/certificates.pem", "/ffx/links") == {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "UV_DEFAULT_INDEX": "https://a.example/s",
        "UV_INDEX": "https://b.example/s https://c.example/s",
        "SSL_CERT_FILE": "/ffx/certificates.pem",
    }


def test_a_broken_file_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text("[[[")
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip/pip.conf").write_text("no section")
    assert machine_registries({}, tmp_path, tmp_path).extra == ()


def test_folders_and_pages_of_packages(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    environ = {"PIP_FIND_LINKS": f"{tmp_path}/wheels /not/there https://pages.example/list", "PIP_NO_INDEX": "1"}
    found = machine_registries(environ, tmp_path, tmp_path)
    assert found.folders == ((tmp_path / "wheels").resolve(),)
    assert found.environment("/ffx/certificates.pem", "/ffx/links") == {
        "UV_FIND_LINKS": "https://pages.example/list,/ffx/links/0",
        "UV_NO_INDEX": "1",
    }


def test_a_named_index_with_its_login(tmp_path: Path) -> None:
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text(
        '[[index]]\nname = "our-own"\nurl = "https://own.example/simple"\n'
        '[[index]]\nname = "rare"\nurl = "https://rare.example/simple"\nexplicit = true\n'
        '[pip]\nindex-url = "https://pip.example/simple"\n'
    )
    environ = {"UV_INDEX_OUR_OWN_USERNAME": "ada", "UV_INDEX_OUR_OWN_PASSWORD": "p/w"}
    found = machine_registries(environ, tmp_path, tmp_path)
    assert found.extra == ("https://ada:p%2Fw@own.example/simple",)
    assert found.default == "https://pip.example/simple"


def test_files_can_be_switched_off(tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex_url = https://pip.example/simple\n")
    assert machine_registries({}, tmp_path, tmp_path).default == "https://pip.example/simple"
    assert machine_registries({"PIP_CONFIG_FILE": "/dev/null"}, tmp_path, tmp_path).default is None
