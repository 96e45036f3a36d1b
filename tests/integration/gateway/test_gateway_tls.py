"""TLS at the edge: versions, protocols, certificates that change while it serves."""

from __future__ import annotations

import asyncio
import datetime
import os
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from support import rawhttp
from support.envoy import Stack, revision, stack, table
from support.origin import until


def certificate(name: str) -> tuple[bytes, bytes]:
    """PEM of a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def install(folder: Path, name: str) -> None:
    """Each file by rename, as certificate tools do."""
    for file, content in zip(("cert.pem", "key.pem"), certificate(name), strict=True):
        fresh = folder / f"{file}.new"
        fresh.write_bytes(content)
        os.replace(fresh, folder / file)


@pytest.fixture
async def world() -> AsyncIterator[Stack]:
    folder = Path(tempfile.mkdtemp(prefix="ffxtls", dir="/tmp"))
    try:
        install(folder, "one.test")
        async with stack(tls_cert=folder / "cert.pem", tls_key=folder / "key.pem") as made:
            yield made
    finally:
        shutil.rmtree(folder)


def client(*protocols: str) -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if protocols:
        made.set_alpn_protocols(list(protocols))
    return made


async def handshake(world: Stack, context: ssl.SSLContext) -> tuple[str | None, bytes]:
    """The chosen protocol and the certificate (DER)."""
    _, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port, ssl=context)
    tls = writer.get_extra_info("ssl_object")
    found = tls.selected_alpn_protocol(), tls.getpeercert(binary_form=True)
    writer.close()
    return found


async def test_http_1_1_over_tls_reaches_functions_and_the_api(world: Stack) -> None:
    instance = await world.instance("a")
    await world.gateway.apply(table(1, acme_a=[revision(1, instance)]))
    answer = await rawhttp.send(world.envoy.port, rawhttp.request("/f/acme/a"), tls=client("http/1.1"))
    assert (answer.status, answer.body) == (200, b"a")
    assert instance.seen[-1].headers["x-forwarded-proto"] == "https"
    answer = await rawhttp.send(world.envoy.port, rawhttp.request("/functions"), tls=client())
    assert (answer.status, answer.body) == (200, b"api")


async def test_http_2_is_offered_and_spoken(world: Stack) -> None:
    assert (await handshake(world, client("h2", "http/1.1")))[0] == "h2"
    assert (await handshake(world, client("http/1.1")))[0] == "http/1.1"
    async with asyncio.timeout(15):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port, ssl=client("h2"))
        # preface, empty SETTINGS, then HEADERS of stream 1: GET https / with authority "a" (HPACK, static table)
        block = bytes([0x82, 0x87, 0x84, 0x41, 0x01]) + b"a"
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 0x5, 1, block))
        body = b""
        while True:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if int.from_bytes(head[5:9], "big") == 1:
                body += payload if head[3] == 0 else b""
                if head[4] & 1:
                    break
        writer.close()
    assert body == b"api"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


async def test_old_versions_and_plain_text_are_refused(world: Stack) -> None:
    old = client()
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await handshake(world, old)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port)
    writer.write(rawhttp.request("/functions"))
    async with asyncio.timeout(15):
        assert not (await reader.read()).startswith(b"HTTP/")
    writer.close()
    assert world.api.seen == []


async def test_a_new_certificate_is_shown_without_a_restart_and_open_connections_stay(world: Stack) -> None:
    _, before = await handshake(world, client())
    reader, writer = await asyncio.open_connection("127.0.0.1", world.envoy.port, ssl=client())
    assert world.base.tls_cert is not None
    install(world.base.tls_cert.parent, "two.test")

    async def is_new() -> bool:
        return (await handshake(world, client()))[1] != before

    await until(is_new, 20)
    shown = x509.load_der_x509_certificate((await handshake(world, client()))[1])
    assert shown.subject.rfc4514_string() == "CN=two.test"
    writer.write(rawhttp.request("/functions"))
    assert (await rawhttp.read(reader)).status == 200
    writer.close()


async def test_a_broken_certificate_leaves_the_one_before(world: Stack) -> None:
    assert world.base.tls_cert is not None
    _, before = await handshake(world, client())
    fresh = world.base.tls_cert.with_name("broken")
    fresh.write_text("nonsense")
    os.replace(fresh, world.base.tls_cert)
    await until(lambda: "Failed to load" in world.envoy.log(), 20)
    assert (await handshake(world, client()))[1] == before
