"""Whose token goes with a request, and what happens when the platform says that it is over."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from faasioflex.client import AsyncClient, Client
from faasioflex.client.tokens import Token, namespace_of
from faasioflex.model.errors import BadRequest, NotAuthenticated

WHOAMI = {"kind": "user", "id": "u-1", "namespace": "ada"}


class Platform:
    """Takes one token; remembers what it was shown."""

    def __init__(self, good: str) -> None:
        self.good = good
        self.shown: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.shown.append(request.headers.get("authorization"))
        if self.shown[-1] == f"Bearer {self.good}":
            return httpx.Response(200, json=WHOAMI)
        problem = {"code": "token-expired", "status": 401, "detail": "over"}
        return httpx.Response(401, json=problem, headers={"Content-Type": "application/problem+json"})


def test_a_text_is_sent_and_a_refusal_is_final() -> None:
    platform = Platform("a")
    with (
        Client("http://x", token="b", transport=httpx.MockTransport(platform)) as client,
        pytest.raises(NotAuthenticated),
    ):
        client.whoami()
    assert platform.shown == ["Bearer b"]


def test_a_file_is_read_anew_when_its_token_is_over(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("one\n")
    platform = Platform("one")
    with Client("http://x", token=file, transport=httpx.MockTransport(platform)) as client:
        client.whoami()
        platform.good = "two"
        file.write_text("two\n")
        assert client.whoami().namespace == "ada"
        platform.good = "three"
        with pytest.raises(NotAuthenticated):
            client.whoami()
    assert platform.shown == [f"Bearer {token}" for token in ("one", "one", "two", "two")]


async def test_a_function_is_asked_each_time() -> None:
    tokens = iter(["one", "two"])
    platform = Platform("two")
    client = AsyncClient("http://x", token=lambda: next(tokens), transport=httpx.MockTransport(platform))
    async with client:
        assert (await client.whoami()).id == "u-1"
    assert platform.shown == ["Bearer one", "Bearer two"]


def test_a_header_that_the_caller_gave_stays() -> None:
    platform = Platform("a")
    with (
        Client("http://x", token="a", transport=httpx.MockTransport(platform)) as client,
        client.open("ada/hello", headers={"Authorization": "Basic eDp5"}),
    ):
        pass
    assert platform.shown == ["Basic eDp5"]


def _token(claims: object) -> str:
    return f"h.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.s"


@pytest.mark.parametrize("token", [None, "", "a", "a.b.c", "a.!.c", _token([]), _token({"namespace": 1})])
def test_a_token_that_does_not_tell_the_namespace(token: str | None) -> None:
    assert namespace_of(token) is None


@pytest.mark.parametrize("kind", ["text", "function"])
def test_the_callers_own_namespace_is_what_the_token_says(kind: str) -> None:
    text = _token({"namespace": "grace"})
    give: Callable[[], str] = lambda: text  # noqa: E731
    token: Token = text if kind == "text" else give
    with Client("http://x", token=token, transport=httpx.MockTransport(Platform("none"))) as client:
        assert str(client.name("hello")) == "grace/hello"


def test_else_the_platform_is_asked_once() -> None:
    platform = Platform("opaque")
    with Client("http://x", token="opaque", transport=httpx.MockTransport(platform)) as client:
        assert str(client.name("hello")) == str(client.name("hello")) == "ada/hello"
    assert len(platform.shown) == 1


def test_who_has_no_namespace_is_told_to_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WHOAMI, "namespace", None)
    transport = httpx.MockTransport(Platform("opaque"))
    with (
        Client("http://x", token="opaque", transport=transport) as client,
        pytest.raises(BadRequest, match="NAMESPACE"),
    ):
        client.name("hello")
