from __future__ import annotations

from pathlib import Path

from faasioflex.manager.builder.registries import machine_registries


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
