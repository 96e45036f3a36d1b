"""The data folder of an installation: who lies where."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

LONGEST_SOCKET_PATH = 100  # sockaddr_un holds 108 bytes with its NUL
LONGEST_SOCKET_NAME = len("i/i-0123456789abcdef.sock")


@dataclass(frozen=True)
class DataFolder:
    """Absolute and resolved. Everything in it is 0700/0600 and belongs to the user that runs the platform."""

    root: Path

    @classmethod
    def at(cls, path: str | Path) -> DataFolder:
        return cls(Path(path).expanduser().resolve())

    @property
    def run(self) -> Path:
        """Pid files, platform.json, credentials of this run."""
        return self.root / "run"

    @property
    def sockets(self) -> Path:
        """Our unix sockets: DIR/run, or a 0700 folder with a short name where DIR is too long for a socket's path."""
        if len(str(self.run)) + 1 + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return self.run
        digest = hashlib.sha256(str(self.root).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"ffx-{os.getuid()}-{digest}"

    @property
    def instance_sockets(self) -> Path:
        return self.sockets / "i"

    @property
    def api_socket(self) -> Path:
        return self.sockets / "api.sock"

    @property
    def invoker_socket(self) -> Path:
        return self.sockets / "invoker.sock"

    @property
    def launcher_socket(self) -> Path:
        return self.sockets / "launcher.sock"

    @property
    def ads_socket(self) -> Path:
        return self.sockets / "ads.sock"

    @property
    def envoy_admin_socket(self) -> Path:
        return self.sockets / "envoy.sock"

    @property
    def functions_socket(self) -> Path:
        """The gateway for calls of functions alone: what FFX_URL in a sandbox leads to."""
        return self.sockets / "functions.sock"

    @property
    def egress_socket(self) -> Path:
        """The egress relay, for the launcher."""
        return self.sockets / "egress.sock"

    @property
    def platform_json(self) -> Path:
        return self.run / "platform.json"

    @property
    def nats_credentials(self) -> Path:
        """JSON {"url", "user", "password"} of this run's nats-server, 0600: every part reads it, nothing passes it as an argument."""
        return self.run / "nats.json"

    @property
    def identity(self) -> Path:
        """Keys, the embedded login's accounts, master key of secrets: 0700."""
        return self.root / "identity"

    @property
    def login(self) -> Path:
        """What the embedded login keeps: its accounts. Not there before the first start."""
        return self.identity / "login"

    @property
    def outbox(self) -> Path:
        """Mails, where no SMTP server is set."""
        return self.identity / "outbox"

    @property
    def signing_keys(self) -> Path:
        """Private keys of the token service, a file each."""
        return self.identity / "keys"

    @property
    def jwks(self) -> Path:
        """Their public halves as a JWK set, for the gateway."""
        return self.identity / "jwks.json"

    @property
    def issuers(self) -> Path:
        """Issuer URLs of this installation, now and before."""
        return self.identity / "issuers.json"

    @property
    def first_admin(self) -> Path:
        """JSON {"email", "password_hash"} of the first start's admin, until the embedded login has taken it in."""
        return self.identity / "first-admin.json"

    @property
    def master_key(self) -> Path:
        """What wraps the keys of secrets, where neither the environment nor a KMS has it: back it up apart from the rest."""
        return self.identity / "master.key"

    @property
    def admin_token(self) -> Path:
        """A token of the local admin, renewed at half its life: whoever may read this folder is the admin."""
        return self.run / "admin.token"

    @property
    def nats(self) -> Path:
        return self.root / "nats"

    @property
    def envoy(self) -> Path:
        return self.root / "envoy"

    @property
    def egress(self) -> Path:
        """Configuration of the egress Envoy."""
        return self.root / "egress"

    @property
    def builds(self) -> Path:
        """Built revisions by digest, shown read-only to instances."""
        return self.root / "builds"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def tls(self) -> Path:
        """The platform's own authority and certificate, where TLS is self-signed."""
        return self.root / "tls"

    @property
    def log(self) -> Path:
        return self.root / "log"
