from __future__ import annotations

import datetime as dt
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from faasioflex.platform import certificate
from faasioflex.platform.supervisor.ports import reached_at
from support.platform_process import Platform, wait_for

MakePlatform = Callable[..., Platform]


def test_self_signed(new_platform: MakePlatform) -> None:
    platform = new_platform("--tls", "self-signed").start()
    document = platform.document()
    assert document["gateway_url"].startswith("https://")
    trust = ssl.create_default_context(cafile=document["ca_file"])
    trust.verify_flags |= ssl.VERIFY_X509_STRICT
    trust.set_alpn_protocols(["h2", "http/1.1"])
    assert httpx.get(f"{platform.url}/readyz", verify=trust).status_code == 200
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(f"{platform.url}/readyz")
    with pytest.raises(httpx.HTTPError):
        httpx.get(platform.url.replace("https", "http") + "/readyz")
    authority = Path(document["ca_file"]).read_bytes()
    folder = platform.data / "tls"
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
        ("ca.pem", "ca.key", "cert.pem", "key.pem"), 0o600
    )

    # near its end it is made anew by the same authority, and Envoy shows it without a restart
    before = platform.pids["envoy"]
    old = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    late = old.not_valid_after_utc - dt.timedelta(days=1)
    assert certificate.ensure(folder, "127.0.0.1", late)
    assert (folder / "ca.pem").read_bytes() == authority
    new = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    assert new.not_valid_after_utc > old.not_valid_after_utc
    port = int(platform.url.rpartition(":")[2])

    def shown() -> int:
        return x509.load_pem_x509_certificate(ssl.get_server_certificate(("127.0.0.1", port)).encode()).serial_number

    wait_for(lambda: shown() == new.serial_number, 10, "the new certificate")
    assert platform.pids["envoy"] == before


def test_off_loopback_with_a_certificate_for_all_addresses_and_the_public_name(new_platform: MakePlatform) -> None:
    public = "https://lab.example.test:8443"
    platform = new_platform("--host", "0.0.0.0", "--tls", "self-signed", "--public-url", public).start()  # noqa: S104
    document = platform.document()
    assert document["gateway_url"].startswith("https://127.0.0.1:")
    assert document["issuer"] == f"{public}/oidc"
    trust = ssl.create_default_context(cafile=document["ca_file"])
    port = int(platform.url.rpartition(":")[2])
    for address in {"127.0.0.1", reached_at("0.0.0.0")}:  # noqa: S104
        assert httpx.get(f"https://{address}:{port}/readyz", verify=trust, trust_env=False).status_code == 200
    named = {"Host": "lab.example.test:8443"}
    with httpx.Client(verify=trust, trust_env=False) as client:
        name = {"sni_hostname": "lab.example.test"}  # checked against the certificate too
        answer = client.get(f"{platform.url}/readyz", headers=named, extensions=name)
    assert answer.status_code == 200
    strange = httpx.get(f"{platform.url}/readyz", verify=trust, headers={"Host": "other.example.test"})
    assert strange.status_code == 403


def test_off_loopback_in_the_clear_only_when_told_so(new_platform: MakePlatform) -> None:
    platform = new_platform("--host", "0.0.0.0", "--insecure-plain-http").start()  # noqa: S104
    assert platform.document()["gateway_url"].startswith("http://127.0.0.1:")
    assert "WITHOUT ENCRYPTION" in platform.output()


def test_it_is_made_once_and_again_when_it_is_spoilt(tmp_path: Path) -> None:
    now = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    assert certificate.ensure(tmp_path, "127.0.0.1", now)
    assert not certificate.ensure(tmp_path, "127.0.0.1", now + dt.timedelta(days=50))
    assert certificate.ensure(tmp_path, "127.0.0.2", now)  # another address
    (tmp_path / "key.pem").write_text("rubbish")
    authority = (tmp_path / "ca.pem").read_bytes()
    assert certificate.ensure(tmp_path, "127.0.0.1", now)
    assert (tmp_path / "ca.pem").read_bytes() == authority
    (tmp_path / "ca.key").unlink()
    (tmp_path / "cert.pem").unlink()
    assert certificate.ensure(tmp_path, "127.0.0.1", now)
    assert (tmp_path / "ca.pem").read_bytes() != authority


def test_an_operators_files_are_checked(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        certificate.ensure(folder, "127.0.0.1", now)
    assert certificate.check(one / "cert.pem", one / "key.pem", now) is None
    assert "does not belong" in str(certificate.check(one / "cert.pem", two / "key.pem", now))
    assert "has been over" in str(certificate.check(one / "cert.pem", one / "key.pem", now + dt.timedelta(days=100)))
    assert "cannot be read" in str(certificate.check(tmp_path / "none", one / "key.pem", now))
    assert "cannot be read" in str(certificate.check(one / "cert.pem", one / "cert.pem", now))
