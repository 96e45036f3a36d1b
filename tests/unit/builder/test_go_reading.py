"""Reading go.mod and Go's settings as far as a builder has to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.manager.builder.go.module import default_module, needs_fetch
from faasioflex.manager.builder.go.settings import for_fetching, without_direct

OURS = "faasioflex.dev/faasioflex"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "module x\n\ngo 1.24\n\ntoolchain go1.27.3\n",
        f"module x\nrequire {OURS} v0.1.0 // indirect\n",
        f"module x\nrequire (\n\t{OURS} v0.1.0\n)\nreplace {OURS} => ../faasioflex\n",
        "// require github.com/google/uuid v1.6.0\nmodule x\n",
    ],
)
def test_nothing_to_fetch(text: str) -> None:
    assert not needs_fetch(text)


@pytest.mark.parametrize(
    "text",
    [
        "module x\nrequire github.com/google/uuid v1.6.0\n",
        f"module x\nrequire (\n\t{OURS} v0.1.0\n\tgithub.com/google/uuid v1.6.0\n)\n",
        "module x\nreplace example.com/y => ./y\n",
        f"require {OURS}/v2 v2.0.0\n",
        "nonsense\n",
    ],
)
def test_something_to_fetch(text: str) -> None:
    assert needs_fetch(text)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert needs_fetch(text + "\nrequire example.com/x v1.0.0\n") or "(" in text


@pytest.mark.parametrize(("version", "line"), [("1.27.3", "go 1.27"), ("1.24", "go 1.24"), ("1.28rc1", "go 1.28")])
def test_code_without_a_module(version: str, line: str) -> None:
    assert default_module(version) == f"module function\n\n{line}\n"


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ("https://proxy.golang.org,direct", "https://proxy.golang.org"),
        ("", "https://proxy.golang.org"),
        ("https://a.example|https://b.example,direct", "https://a.example|https://b.example"),
        ("direct,https://a.example", "https://a.example"),
        ("off", "off"),
        ("direct", "direct"),
    ],
)
def test_modules_come_from_proxies(said: str, taken: str) -> None:
    assert without_direct(said) == taken


def test_no_program_is_started_for_fetching() -> None:
    said = {
        "GOPROXY": "https://a.example",
        "GOPRIVATE": "acme.example",
        "GOSUMDB": "off",
        "GOAUTH": "git /home",
        "GOFLAGS": "-toolexec=/bin/evil -mod=vendor -x",
    }
    made = for_fetching(said)
    assert made == {
        "GOPROXY": "https://a.example",
        "GOPRIVATE": "acme.example",
        "GOSUMDB": "off",
        "GOAUTH": "off",
        "GOFLAGS": "-modcacherw -x",
        "GOVCS": "*:off",
    }
