from __future__ import annotations

import ipaddress
import socket
from pathlib import Path

import pytest

from faasioflex.model.errors import Invalid
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_private
from faasioflex.platform.supervisor.ports import (
    GatewayPort,
    InsecureAddress,
    PortInUse,
    listen_address,
    nats_port,
    reached_at,
)


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    found = DataFolder.at(tmp_path)
    make_private(found.run)
    return found


def listening(port: int = 0) -> socket.socket:
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    found.bind(("127.0.0.1", port))
    found.listen()
    return found


@pytest.mark.parametrize(
    ("host", "address"), [("localhost", "127.0.0.1"), ("127.0.0.9", "127.0.0.9"), ("[::1]", "::1")]
)
def test_on_loopback_plain_http_is_fine(host: str, address: str) -> None:
    assert listen_address(host, secure=False, insecure=False) == address


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2"])  # noqa: S104
def test_elsewhere_it_needs_tls_unless_told_otherwise(host: str) -> None:
    for way in ("--tls-cert", "--tls self-signed", "--insecure-plain-http"):
        with pytest.raises(InsecureAddress, match=way):
            listen_address(host, secure=False, insecure=False)
    assert listen_address(host, secure=True, insecure=False) == host
    assert listen_address(host, secure=False, insecure=True) == host


@pytest.mark.parametrize("host", ["example.com", "", "127.0.0.1.example.com"])
def test_a_name_is_no_address(host: str) -> None:
    with pytest.raises(Invalid, match="public_url"):
        listen_address(host, secure=True, insecure=True)


def test_all_addresses_are_reached_at_one() -> None:
    assert reached_at("127.0.0.9") == "127.0.0.9"
    assert not ipaddress.ip_address(reached_at("0.0.0.0")).is_unspecified  # noqa: S104


def test_port_0_is_kept(folder: DataFolder) -> None:
    ports = []
    for _ in range(3):
        port = GatewayPort(folder)
        ports.append(port.reserve("127.0.0.1", 0))
        port.close()
    assert len(set(ports)) == 1


def test_port_0_takes_another_one_where_the_kept_one_is_taken(folder: DataFolder) -> None:
    first = GatewayPort(folder)
    before = first.reserve("127.0.0.1", 0)
    first.close()
    with listening(before):
        second = GatewayPort(folder)
        assert second.reserve("127.0.0.1", 0) != before
        second.close()


def test_a_reserved_port_lets_the_gateway_in_and_takes_no_connection_itself(folder: DataFolder) -> None:
    port = GatewayPort(folder)
    number = port.reserve("127.0.0.1", 0)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number), timeout=5)
    with listening(number) as server, socket.create_connection(("127.0.0.1", number), timeout=5) as client:
        accepted, _ = server.accept()
        accepted.close()
        client.close()
    with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
        stranger.bind(("127.0.0.1", number))
    port.close()


def test_a_port_in_use_is_refused_with_what_to_do(folder: DataFolder) -> None:
    with listening() as server, pytest.raises(PortInUse, match="--port 0"):
        GatewayPort(folder).reserve("127.0.0.1", server.getsockname()[1])


def test_nats_keeps_its_port_if_it_is_free(folder: DataFolder) -> None:
    before = nats_port(folder)
    assert nats_port(folder) == before
    with listening(before):
        assert nats_port(folder) != before
