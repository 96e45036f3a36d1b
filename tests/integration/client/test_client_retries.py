"""What the clients do when a connection is refused, breaks, or the answer is «later», over real sockets."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from faasioflex.client import AsyncClient, Client, RetryPolicy, Target, Unreachable
from faasioflex.model.errors import Unavailable

QUICK = RetryPolicy(attempts=5, first_wait_s=0.01, longest_wait_s=0.05)
VERSION = b'{"name": "faasioflex", "version": "1"}'
BUSY = json.dumps({"code": "unavailable", "status": 503, "detail": "a moment"}).encode()
INVOCATION = b'{"invocation_id": "i", "status": "succeeded"}'


def _answer(status: int, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


LATER = _answer(503, BUSY, "Content-Type: application/problem+json", "Retry-After: 1")
GOOD = _answer(200, VERSION, "Content-Type: application/json")


@contextmanager
def _server(*answers: bytes) -> Iterator[tuple[Target, list[bytes]]]:
    """Each connection reads one request and gets the next of ``answers`` (an empty one: it is closed)."""
    requests: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            for answer in answers:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    requests.append(connection.recv(65536))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield Target(f"http://127.0.0.1:{listening.getsockname()[1]}", namespace="admin", retry=QUICK), requests
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def test_later_is_obeyed_for_what_may_be_repeated() -> None:
    with _server(LATER, LATER, GOOD) as (target, requests), Client(target) as client:
        assert client.version().version == "1"
    assert len(requests) == 3


def test_later_is_final_for_a_call_of_a_function() -> None:
    with _server(LATER, GOOD) as (target, requests), Client(target) as client:
        with pytest.raises(Unavailable, match="a moment") as error:
            client.execute("hello")
        assert error.value.retry_after_s == 1
    assert len(requests) == 1


def test_a_broken_connection_is_tried_again_for_what_may_be_repeated_only() -> None:
    with _server(b"", GOOD) as (target, requests), Client(target) as client:
        assert client.version().version == "1"
    assert len(requests) == 2
    broken = _server(b"", _answer(200, INVOCATION))
    with broken as (target, requests), Client(target) as client, pytest.raises(Unreachable, match="broke"):
        client.execute("hello")
    assert len(requests) == 1


def test_it_gives_up() -> None:
    with _server(*[LATER] * 9) as (target, requests), Client(target) as client, pytest.raises(Unavailable):
        client.version()
    assert len(requests) == QUICK.attempts


async def test_the_asynchronous_client_does_the_same() -> None:
    with _server(b"", LATER, GOOD) as (target, requests):
        async with AsyncClient(target) as client:
            assert (await client.version()).version == "1"
    assert len(requests) == 3


def _chunk(*numbers: int) -> bytes:
    """A chunked answer that breaks off after these lines."""
    lines = "".join(json.dumps({"time": f"2030-01-01T00:00:0{n}Z", "message": f"line {n}"}) + "\n" for n in numbers)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + f"{len(lines):x}\r\n{lines}\r\n".encode()


GONE = _answer(404, b'{"code": "function-not-found", "detail": "gone"}', "Content-Type: application/problem+json")


def _read(target: Target) -> list[str]:
    with Client(target) as client:
        return [line.message for line in client.logs("hello", follow=True)]


async def _read_async(target: Target) -> list[str]:
    async with AsyncClient(target) as client:
        return [line.message async for line in client.logs("hello", follow=True)]


def test_a_followed_log_goes_on_over_broken_connections_and_a_platform_that_restarts() -> None:
    with _server(_chunk(1, 2), LATER, b"", _chunk(2, 3), GONE) as (target, requests):
        assert _read(target) == ["line 1", "line 2", "line 3"]
    assert b"since=" not in requests[0]
    assert b"since=2030-01-01T00%3A00%3A00" in requests[1]


async def test_the_asynchronous_one_too() -> None:
    with _server(_chunk(1, 2), _chunk(2, 3), GONE) as (target, _):
        assert await _read_async(target) == ["line 1", "line 2", "line 3"]


def test_a_token_is_sent_in_its_header_only(capsys: pytest.CaptureFixture[str]) -> None:
    with _server(GOOD) as (target, requests), Client(target.url, token="s3cret") as client:
        client.version()
        assert "s3cret" not in repr(client.target)
    assert b"authorization: bearer s3cret" in requests[0].lower()
    assert b"s3cret" not in requests[0].split(b"\r\n")[0]
    assert "s3cret" not in "".join(capsys.readouterr())
