"""Which function a path is for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.target import from_headers, from_path
from faasioflex.model.errors import FunctionNotFound, NotFound
from faasioflex.model.names import FunctionName


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/f/acme/hello", "/"),
        ("/f/acme/hello/", "/"),
        ("/f/acme/hello?a=/b/c", "/?a=/b/c"),
        ("/f/acme/hello?", "/?"),
        ("/f/acme/hello/a%2Fb?x=%20y", "/a%2Fb?x=%20y"),
        ("/f/acme/hello//x", "//x"),
        ("/f/acme/hello/../../other/one", "/../../other/one"),
    ],
)
def test_what_follows_the_name_is_the_instances(raw: str, path: str) -> None:
    target = from_path(raw)
    assert (target.function, target.path, target.revision) == (FunctionName("acme", "hello"), path, None)
    assert target.prefix == "/f/acme/hello"


@pytest.mark.parametrize(
    "raw",
    [
        "/f/",
        "/f/acme",
        "/f/acme/",
        "/f//hello",
        "/f/acme/hel%6co",
        "/f/acme/..",
        "/f/./hello",
        "/f/acme%2fhello",
        "/f/acme?/hello",
    ],
)
def test_what_cannot_be_a_name_is_no_function(raw: str) -> None:
    with pytest.raises(FunctionNotFound):
        from_path(raw)


@settings(deadline=None)
@given(st.text(max_size=40))
def test_another_path_is_not_found(raw: str) -> None:
    if not raw.startswith("/f/"):
        with pytest.raises(NotFound):
            from_path(raw)


@settings(deadline=None)
@given(st.from_regex(r"[!-~]{0,40}", fullmatch=True))
def test_nothing_of_the_target_is_lost(rest: str) -> None:
    assert from_path(f"/f/acme/hello/{rest}").path == f"/{rest}"


@pytest.mark.parametrize(
    ("given_revision", "read"),
    [("3", 3), (None, None), ("", None), ("x", None), ("-1", None), ("²", None), ("9" * 40, None)],
)
def test_the_gateways_headers(given_revision: str | None, read: int | None) -> None:
    target = from_headers("/a%20b", "acme", "hello", given_revision)
    assert (str(target.function), target.path, target.revision) == ("acme/hello", "/a%20b", read)
    with pytest.raises(FunctionNotFound):
        from_headers("/", "acme", "../x", given_revision)
