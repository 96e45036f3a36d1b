"""Logging in with a code and with a browser, keeping the tokens, renewing them, logging out."""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from faasioflex.cli.connect import resolve
from faasioflex.cli.contexts import Contexts
from faasioflex.cli.login import login, logout
from faasioflex.cli.signing_in.browser import by_browser
from faasioflex.cli.signing_in.device import by_device
from faasioflex.cli.signing_in.oauth import Refused, discover
from faasioflex.cli.signing_in.stored import StoredLogin, Tokens, load, save, token_path
from faasioflex.client import Target
from faasioflex.client.tokens import Bearer
from faasioflex.model.errors import NotAuthenticated
from support.login_server import LoginServer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "FFX_TOKEN", "FFX_CA_FILE", "FFX_URL", "FFX_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def server() -> Iterator[LoginServer]:
    with LoginServer() as found:
        yield found


def test_with_a_code_the_tokens_are_kept_for_us_only_and_used(
    server: LoginServer, capsys: pytest.CaptureFixture[str]
) -> None:
    server.pending = 2
    login(url=server.url, device=True)
    said = capsys.readouterr()
    assert "ABCD" in said.err
    assert "ada@example.test" in said.out
    assert "access-1" not in said.out + said.err
    assert len([form for form in server.forms if form["grant_type"].endswith("device_code")]) == 3
    path = token_path("at-127-0-0-1")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert Contexts.load().used == "at-127-0-0-1"
    target = resolve(None, None, None)
    assert target.url == server.url
    assert Bearer(target.token).now() == "access-1"
    assert resolve("http://127.0.0.1:1", None, None).token is None  # to no other platform

    logout()
    assert server.revoked == ["refresh-1", "access-1"]
    assert not path.exists()
    logout()
    assert "Nobody is logged in" in capsys.readouterr().err


def through(server: LoginServer, *, state: str | None = None) -> Callable[[str], object]:
    """A browser whose user logs in at once; with ``state`` somebody else's answer comes first."""

    def browse(page: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}

        def go() -> None:
            if state is not None:
                assert httpx.get(f"{query['redirect_uri']}?code=evil&state={state}").status_code == 404
            assert httpx.get(server.page(query)).status_code == 200

        threading.Thread(target=go, daemon=True).start()

    return browse


def test_with_a_browser_by_pkce_and_only_our_own_answer_counts(server: LoginServer) -> None:
    target = Target(server.url)
    tokens = by_browser(target, discover(target), lambda _: None, through(server, state="guessed"))
    assert tokens.access_token == "access-1"
    assert server.forms[-1]["code"] == "the-code"
    assert len(server.forms[-1]["code_verifier"]) >= 43


def test_where_the_login_is_elsewhere_its_id_token_is_exchanged() -> None:
    with LoginServer(elsewhere=True) as server:
        target = Target(server.url)
        for tokens in (
            by_device(target, discover(target), lambda _: None),
            by_browser(target, discover(target), lambda _: None, through(server)),
        ):
            assert tokens.access_token.startswith("access-")
            assert server.forms[-2]["client_id"] == "ffx-dex"
            assert server.forms[-1]["subject_token"] == "id-of-dex"


def test_a_code_that_was_denied_ends_it(server: LoginServer) -> None:
    server.refuse = "access_denied"
    target = Target(server.url)
    with pytest.raises(Refused, match="no more"):
        by_device(target, discover(target), lambda _: None)


def test_tokens_are_renewed_once_by_commands_side_by_side(server: LoginServer) -> None:
    target = Target(server.url)
    save("lab", Tokens(server.url, "old", "refresh-0", time.time() + 5))
    found: list[str | None] = []
    threads = [threading.Thread(target=lambda: found.append(StoredLogin("lab", target)())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == ["access-1"] * 8
    assert [form["refresh_token"] for form in server.forms] == ["refresh-0"]
    kept = load("lab")
    assert kept is not None
    assert kept.refresh_token == "refresh-1"


def test_a_login_that_has_ended_says_what_to_do(server: LoginServer) -> None:
    save("lab", Tokens(server.url, "old", "refresh-0", time.time() - 5))
    server.refuse = "invalid_grant"
    with pytest.raises(NotAuthenticated, match="ffx login"):
        StoredLogin("lab", Target(server.url))()


def test_a_platform_that_is_away_is_the_requests_to_tell(home: Path) -> None:
    save("lab", Tokens("http://127.0.0.1:1", "old", "refresh-0", time.time() - 5))
    assert StoredLogin("lab", Target("http://127.0.0.1:1"))() == "old"


def test_what_is_said_goes_over_the_login(server: LoginServer, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login(url=server.url, device=True)
    (home / "token").write_text("of-file")
    assert Bearer(resolve(None, home / "token", None).token).now() == "of-file"
    monkeypatch.setenv("FFX_TOKEN", "of-environment")
    assert resolve(None, None, None).token == "of-environment"
    assert replace(resolve(None, None, None), token=None).url == server.url
