"""Which certificate the gateway shows, seen to before it starts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from faasioflex.model.errors import Invalid, Unavailable
from faasioflex.platform.settings import Settings


@dataclass(frozen=True)
class CertificateFiles:
    """``authority``: our own, where the certificate is; None where the operator brought the files."""

    chain: Path
    key: Path
    authority: Path | None


def prepare(settings: Settings, host: str) -> CertificateFiles | None:
    """None without TLS. Makes or renews a self-signed one. Raises Invalid (the operator's files are no good), Unavailable."""
    if settings.tls_cert is not None and settings.tls_key is not None:
        problem = _in_a_process("check", settings.tls_cert, settings.tls_key)
        if problem is not None:
            raise Invalid(problem)
        return CertificateFiles(Path(settings.tls_cert), Path(settings.tls_key), None)
    if settings.tls is None:
        return None
    problem = _in_a_process(
        "ensure", str(settings.folder.root), host, urlsplit(settings.public_url or "").hostname or ""
    )
    if problem is not None:
        raise Unavailable(f"A certificate of the platform's own cannot be made: {problem}")
    folder = settings.folder.tls
    return CertificateFiles(folder / "cert.pem", folder / "key.pem", folder / "ca.pem")


def _in_a_process(*arguments: str) -> str | None:
    """The last line of its complaint; None where it had none."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "faasioflex.platform.certificate", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
