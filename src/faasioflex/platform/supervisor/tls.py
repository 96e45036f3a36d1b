"""Which certificate the gateway shows, seen to before it starts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from faasioflex.model.errors import Invalid, Unavailable
from faasioflex.platform.settings import Settings


@dataclass(frozen=True)
class CertificateFiles:
    """``authority``: our own, where the certificate is; None where the operator brought the files."""

    chain: Path
    key: Path
    authority: Path | None


def prepare(settings: Settings, host: str) -> CertificateFiles | None:
    """None without TLS. Makes or renews a self-signed one. Raises Invalid (unreadable files), Unavailable."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        chain, key = (Path(name).expanduser().resolve() for name in (settings.tls_cert, settings.tls_key))
        for path, words in ((chain, b"BEGIN CERTIFICATE"), (key, b"PRIVATE KEY")):
            _check(path, words)
        return CertificateFiles(chain, key, None)
    if settings.tls is None:
        return None
    folder = settings.folder.tls
    done = subprocess.run(
        [sys.executable, "-P", "-m", "faasioflex.platform.certificate", str(settings.folder.root), host],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise Unavailable(f"A certificate of the platform's own cannot be made: {last[0]}")
    return CertificateFiles(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")


def _check(path: Path, words: bytes) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Invalid(f"The TLS file {path} cannot be read: {error.strerror}.") from error
    if words not in content:
        raise Invalid(f"The TLS file {path} is not a PEM file with '{words.decode()}' in it.")
