"""Reading what instances answer: strictly, whatever the pieces in which it comes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faasioflex.invoker.http1.framing import ByConnection, ByLength, Chunked, Framing, framing_of
from faasioflex.invoker.http1.head import BadMessage, ResponseHead, content_length, parse_response, write_head


def head(text: bytes) -> ResponseHead:
    return parse_response(b"HTTP/1.1 200 OK\r\n" + text + b"\r\n")


def test_a_head_is_read_as_it_is() -> None:
    read = parse_response(b"HTTP/1.1 207 Much: more\r\nX-A: b\xe9 \r\nx-a:c\r\nEmpty:\r\n\r\n")
    assert (read.status, read.reason, read.minor) == (207, b"Much: more", 1)
    assert read.headers == [(b"X-A", b"b\xe9"), (b"x-a", b"c"), (b"Empty", b"")]
    assert read.get(b"x-a") == b"b\xe9"
    assert parse_response(b"HTTP/1.0 404\r\n\r\n").reason == b""


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nA: b\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\nSet-Cookie: c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x00\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(text: bytes) -> None:
    with pytest.raises(BadMessage):
        parse_response(text)


def test_a_long_run_of_blanks_costs_no_time() -> None:
    """64 KiB of them: a pattern that backtracks would take minutes."""
    read = head(b"A: x" + b" " * 65_000 + b"y\r\n")
    assert len(read.headers[0][1]) == 65_002


def test_keep_alive_is_the_rule_of_1_1_and_the_exception_of_1_0() -> None:
    assert head(b"").keep_alive
    assert not head(b"Connection: X, Close\r\n").keep_alive
    assert not parse_response(b"HTTP/1.0 200 OK\r\n\r\n").keep_alive
    assert parse_response(b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive


def test_lengths() -> None:
    assert content_length([]) is None
    assert content_length([(b"Content-Length", b"5"), (b"content-length", b"5, 5")]) == 5
    for wrong in ([b"5", b"6"], [b"-1"], [b"+1"], [b"1_0"], [b"0x1"], [b"\xb2"], [b"9" * 30]):
        with pytest.raises(BadMessage):
            content_length([(b"content-length", value) for value in wrong])


@pytest.mark.parametrize(
    ("method", "text", "kind"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", ByLength),
        ("GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n", Chunked),
        ("GET", b"HTTP/1.1 200 OK\r\n\r\n", ByConnection),
    ],
)
def test_where_a_body_ends(method: str, text: bytes, kind: type[Framing]) -> None:
    assert isinstance(framing_of(parse_response(text), method), kind)


@pytest.mark.parametrize("status", [101, 204, 304])
def test_some_answers_have_no_body(status: int) -> None:
    read = parse_response(b"HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\n" % status)
    assert framing_of(read, "GET").done
    assert framing_of(head(b"Content-Length: 3\r\n"), "HEAD").done


def test_a_coding_that_we_do_not_know_is_refused() -> None:
    with pytest.raises(BadMessage):
        framing_of(head(b"Transfer-Encoding: gzip, chunked\r\n"), "GET")


def fed(framing: Framing, data: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """Body and rest when ``data`` comes in pieces of these sizes, over and over."""
    body, at, turn = b"", 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        piece, rest = framing.feed(data[at : at + size])
        body += piece
        if framing.done:
            return body, rest + data[at + size :]
        at += size
        turn += 1
    return body, b""


cuts = st.lists(st.integers(1, 40), min_size=1, max_size=6)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=100), max_size=6), st.binary(max_size=20), cuts)
def test_chunks_are_joined_whatever_the_pieces(chunks: list[bytes], behind: bytes, sizes: list[int]) -> None:
    coded = b"".join(b"%X;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    coded += b"0\r\nTrailer: x\r\n\r\n" + behind
    framing = Chunked()
    assert fed(framing, coded, sizes) == (b"".join(chunks), behind)
    assert framing.done


@settings(deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=20), cuts)
def test_a_length_is_kept_to(body: bytes, behind: bytes, sizes: list[int]) -> None:
    framing = ByLength(len(body))
    if body:
        assert fed(framing, body + behind, sizes) == (body, behind)
    assert framing.done


@pytest.mark.parametrize(
    "coded",
    [
        b"x\r\n",
        b"-1\r\n",
        b"\r\n",
        b"2\nab",
        b"2\r\nabc\r\n",
        b"1" * 20 + b"\r\n",
        b"1;" + b"x" * 2000,
        b"0\r\n" + b"a: b\r\n" * 5000,
    ],
)
def test_broken_chunks_are_refused(coded: bytes) -> None:
    with pytest.raises(BadMessage):
        Chunked().feed(coded)


def test_a_head_is_written_as_it_was_read() -> None:
    fields = [(b"X-A", b"b\xe9"), (b"x-a", b"")]
    written = write_head(b"HTTP/1.1 200 OK", fields)
    assert parse_response(written).headers == fields
