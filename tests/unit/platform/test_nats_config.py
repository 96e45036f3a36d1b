from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from faasioflex.model.errors import Invalid
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.private_file import make_private
from faasioflex.platform.settings import Settings
from faasioflex.platform.supervisor import nats
from faasioflex.platform.supervisor.tls import CertificateFiles

ANYWHERE = "0.0.0.0"  # noqa: S104


def test_the_password_is_new_each_run_and_in_no_argument(tmp_path: Path) -> None:
    settings = Settings.load({"data": str(tmp_path)}, {})
    folder = settings.folder
    make_private(folder.run)
    run = nats.new_run(4222)
    assert run.password != nats.new_run(4222).password
    assert len(run.password) >= 32
    command = nats.write(folder, settings, run)
    secrets = (run.password, run.callout_password, run.system_password)
    assert len(set(secrets)) == 3
    assert str(folder.root) in " ".join(command)
    credentials = json.loads(folder.nats_credentials.read_text())
    given = {name: credentials[name] for name in ("url", "user", "password")}
    assert given == {"url": "nats://127.0.0.1:4222", "user": nats.USER, "password": run.password}
    assert not [each for each in (*secrets, credentials["issuer_seed"]) if each in " ".join(command) + repr(run)]
    assert credentials["issuer_seed"] not in (folder.run / "nats.conf").read_text(), (
        "the server knows the public key only"
    )
    for path in (folder.nats_credentials, folder.run / "nats.conf", folder.identity / "nats-issuer.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_listens_on_loopback_only_and_takes_16_mib() -> None:
    settings = Settings.load({"data": "/d"}, {})
    text = nats.render(DataFolder.at("/d"), settings, nats.NatsRun(4000, "secret"), "ISSUER")
    assert 'listen: "127.0.0.1:4000"' in text
    assert "max_payload: 16777216" in text
    assert 'store_dir: "/d/nats"' in text
    assert "http" not in text  # its monitoring port asks nobody who they are


def test_the_sync_interval_is_what_was_set() -> None:
    def rendered(interval_s: float) -> str:
        settings = Settings.load({"data": "/d", "nats_sync_interval_s": interval_s}, {})
        return nats.render(DataFolder.at("/d"), settings, nats.NatsRun(4000, "secret"), "ISSUER")

    assert 'sync_interval: "100ms"' in rendered(0.1)
    assert "sync_interval: always" in rendered(0)


def test_odd_folder_names_do_not_break_out_of_the_configuration() -> None:
    odd = DataFolder(Path('/d"} accounts {'))
    text = nats.render(odd, Settings(), nats.NatsRun(4000, "secret"), "ISSUER")
    assert json.dumps(str(odd.nats)) in text


def test_off_loopback_it_speaks_tls_by_the_gateways_certificate_or_not_at_all() -> None:
    with pytest.raises(Invalid, match="tls-cert"):
        nats.new_run(4000, ANYWHERE)
    run = nats.new_run(4000, ANYWHERE, CertificateFiles(Path("/t/cert.pem"), Path("/t/key.pem"), None))
    text = nats.render(DataFolder.at("/d"), Settings(), run, "ISSUER")
    assert f'listen: "{ANYWHERE}:4000"' in text
    assert 'tls { cert_file: "/t/cert.pem", key_file: "/t/key.pem"' in text
    assert run.url.startswith("tls://")
    assert ANYWHERE not in run.url, "an address that clients can connect to"


def test_on_loopback_it_needs_no_certificate() -> None:
    certificate = CertificateFiles(Path("/t/cert.pem"), Path("/t/key.pem"), None)
    run = nats.new_run(4000, "127.0.0.1", certificate)
    assert (run.url, run.chain) == ("nats://127.0.0.1:4000", None)
    assert "tls {" not in nats.render(DataFolder.at("/d"), Settings(), run, "ISSUER")


def test_the_address_is_one() -> None:
    with pytest.raises(Invalid, match="nats_host"):
        Settings.load({"data": "/d", "nats_host": "example.org"}, {})
