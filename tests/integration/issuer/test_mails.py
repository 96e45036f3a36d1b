"""The drivers of the notification port: a real SMTP server, and the folder that keeps mails where there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from aiosmtpd.smtp import AuthResult

from faasioflex.identity.notify.outbox import Outbox
from faasioflex.identity.notify.smtp import Smtp
from faasioflex.model.errors import Unavailable

TO, SUBJECT, TEXT = "ada@example.test", "Restablecer la contraseña", "http://127.0.0.1/oidc/reset?code=x\nñ\n"


class Kept(Message):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[bytes] = []

    def handle_message(self, message: object) -> None:
        self.found.append(bytes(message))  # type: ignore[call-overload]


class Server:
    def __init__(self) -> None:
        self.kept = Kept()
        self.logins: list[tuple[bytes, bytes]] = []
        self.controller = Controller(
            self.kept, hostname="127.0.0.1", port=free_port(), authenticator=self._check, auth_require_tls=False
        )

    def _check(self, server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        self.logins.append((data.login, data.password))  # type: ignore[attr-defined]
        return AuthResult(success=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found: int = listener.getsockname()[1]
        return found


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    made.controller.start()
    yield made
    made.controller.stop()


async def test_a_mail_arrives(server: Server, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("hush\n")
    send = Smtp("127.0.0.1", server.controller.port, "ffx@example.test", "none", "ffx", password)
    await send(TO, SUBJECT, TEXT)
    mail = message_from_bytes(server.kept.found[0], policy=policy.default)
    assert (mail["To"], mail["From"], mail["Subject"]) == (TO, "ffx@example.test", SUBJECT)
    assert mail.get_content().replace("\r\n", "\n") == TEXT
    assert server.logins == [(b"ffx", b"hush")]


async def test_a_server_without_tls_gets_no_mail_where_it_is_demanded(server: Server) -> None:
    with pytest.raises(Unavailable) as raised:
        await Smtp("127.0.0.1", server.controller.port, "ffx@example.test")(TO, SUBJECT, TEXT)
    assert "reset" not in raised.value.message
    assert server.kept.found == []


async def test_a_server_that_is_away_is_said_to_be() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
        await Smtp("127.0.0.1", free_port(), "ffx@example.test", "none")(TO, SUBJECT, TEXT)


async def test_without_a_server_mails_are_files_for_their_owner_only(tmp_path: Path) -> None:
    await Outbox(tmp_path / "outbox")(TO, SUBJECT, TEXT)
    (file,) = (tmp_path / "outbox").iterdir()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (mail["To"], mail["Subject"], mail.get_content()) == (TO, SUBJECT, TEXT)
