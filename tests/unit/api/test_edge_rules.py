"""Small pure rules of the API's edge."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faasioflex.api.resource.document import merge, pointer, read_function
from faasioflex.api.resource.texts import handler_problem
from faasioflex.api.resource.times import parse_since, rfc3339
from faasioflex.model.errors import FieldError, Invalid
from faasioflex.model.sender import is_own_host

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
FIELDS = [
    "name",
    "namespace",
    "runtime",
    "handler",
    "env",
    "limits",
    "scaling",
    "network",
    "labels",
    "source",
    "rollout",
    "status",
]


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # RFC 7396, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        ({"limits": {"payload_bytes": 5}}, {"limits": {"payload_bytes": None}}, {"limits": {"payload_bytes": None}}),
        ({"env": {"payload_bytes": "5"}}, {"env": {"payload_bytes": None}}, {"env": {}}),
    ],
)
def test_merge_patch(target: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    before = repr(target)
    assert merge(target, patch) == expected
    assert repr(target) == before


@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON)
def test_a_document_is_read_or_refused_with_pointers(document: Any) -> None:
    errors: tuple[FieldError, ...] = ()
    try:
        read_function(document)
    except Invalid as refused:
        errors = refused.errors or (FieldError("nothing", ""),)
    assert all(one.pointer == "" or one.pointer.startswith("/") for one in errors)


@pytest.mark.parametrize("field", ["limits", "env", "labels", "network"])
def test_what_must_be_an_object_is_told_without_names_of_our_code(field: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_function({"name": "a", "runtime": "python", "source": {"files": {"main.py": ""}}, field: 1})
    assert refused.value.errors == (FieldError(f"/{field}", "Must be an object"),)


def test_pointers_are_escaped() -> None:
    assert pointer("a/b", "c~d", 3) == "/a~1b/c~0d/3"


@pytest.mark.parametrize(
    ("runtime", "handler", "right"),
    [
        ("python", "main:handle", True),
        ("python", "pkg.module:app.inner", True),
        ("python", "añadir:función", True),
        ("python", "main", False),
        ("python", "main:", False),
        ("python", "main.py:handle", True),
        ("python", "main:handle\n", False),
        ("python", "-c:x", False),
        ("go", "Handle", True),
        ("go", "handle", False),
        ("go", "main:Handle", False),
        ("exec", "run", True),
        ("exec", "bin/run.sh", True),
        ("exec", "bin/../../x", False),
        ("exec", "..", False),
        ("exec", "/bin/sh", False),
        ("exec", "a b", False),
        ("exec", "run\n", False),
    ],
)
def test_handlers(runtime: str, handler: str, right: bool) -> None:
    assert (handler_problem(runtime, handler) is None) is right


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", 400.0),
        ("90s", 910.0),
        ("1h", 0.0),
        ("1970-01-01T00:00:05Z", 5.0),
        ("1970-01-01T01:00:05.5+01:00", 5.5),
        ("1970-01-01T00:00:05", None),
        ("10", None),
        ("-10m", None),
        ("999999999d", 0.0),
        ("0001-01-01T00:00:00+23:00", 0.0),
        ("٣m", None),
        ("", None),
    ],
)
def test_since(text: str, expected: float | None) -> None:
    assert parse_since(text, now=1000.0) == expected


def test_times_are_utc_with_milliseconds() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1_700_000_000.5) == "2023-11-14T22:13:20.500Z"


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("localhost", True),
        ("127.0.0.1:8080", True),
        ("[::1]:8080", True),
        ("ffx.localhost", True),
        ("api", True),
        ("", True),
        ("faas.example.org", True),
        ("evil.example.org", False),
        ("127.0.0.1.evil.org:80", False),
        ("localhost.evil.org", False),
    ],
)
def test_hosts(host: str, own: bool) -> None:
    assert is_own_host(host, frozenset({"faas.example.org"})) is own
