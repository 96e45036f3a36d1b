"""Whether the settings of the login fit together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Protocol
from urllib.parse import urlsplit

DRIVERS = ("embedded", "dex", "oidc")
SIGN_UP = ("open", "invitation", "closed")
SMTP_TLS = ("starttls", "tls", "none")


class LoginSettings(Protocol):
    """Those of ``Settings`` that are looked at."""

    @property
    def login(self) -> str: ...
    @property
    def sign_up(self) -> str: ...
    @property
    def smtp_tls(self) -> str: ...
    @property
    def smtp_host(self) -> str: ...
    @property
    def login_issuer(self) -> str: ...
    @property
    def login_client_id(self) -> str: ...
    @property
    def dex_grpc(self) -> str: ...
    @property
    def dex_grpc_ca(self) -> str | None: ...
    @property
    def dex_grpc_cert(self) -> str | None: ...
    @property
    def dex_grpc_key(self) -> str | None: ...
    @property
    def admin_emails(self) -> str: ...
    @property
    def insecure_plain_http(self) -> bool: ...


def words(text: str) -> frozenset[str]:
    """Of a setting that is a list: separated by spaces or commas."""
    return frozenset(text.replace(",", " ").split())


def login_problems(settings: LoginSettings) -> Iterator[tuple[str, str]]:
    """Name of the setting, and a sentence."""
    if settings.login not in DRIVERS:
        yield "login", f"must be one of {', '.join(DRIVERS)}"
    elif settings.login != "embedded":
        yield from _problems_of_issuer(settings)
    elif settings.login_issuer:
        yield "login_issuer", "is for login dex or oidc: the embedded login is the platform's own"
    if settings.sign_up not in SIGN_UP:
        yield "sign_up", f"must be one of {', '.join(SIGN_UP)}"
    if settings.smtp_tls not in SMTP_TLS:
        yield "smtp_tls", f"must be one of {', '.join(SMTP_TLS)}"
    elif settings.smtp_tls == "none" and settings.smtp_host and not _is_loopback(settings.smtp_host):
        yield "smtp_tls", "must be starttls or tls off loopback: mails hold links that let people in"
    if (settings.dex_grpc_cert is None) != (settings.dex_grpc_key is None):
        yield "dex_grpc_cert", "a certificate needs its key and a key its certificate"
    if settings.dex_grpc and settings.login != "dex":
        yield "dex_grpc", "is for login dex"
    if settings.dex_grpc and settings.dex_grpc_ca is None and not _is_near(settings.dex_grpc):
        yield "dex_grpc_ca", "is needed off loopback: whoever reaches Dex's gRPC API makes people there"
    wrong = [one for one in words(settings.admin_emails) if one.count("@") != 1]
    if wrong:
        yield "admin_emails", f"must be e-mail addresses, not {', '.join(sorted(wrong))}"


def _problems_of_issuer(settings: LoginSettings) -> Iterator[tuple[str, str]]:
    try:
        parts = urlsplit(settings.login_issuer)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        yield "login_issuer", "is not a URL"
        return
    if parts.scheme not in {"https", "http"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        yield "login_issuer", "must be the URL of the issuer, like https://dex.example.org/dex"
    elif parts.scheme == "http" and not (_is_loopback(host) or settings.insecure_plain_http):
        yield "login_issuer", "must be https off loopback: its keys decide who somebody is"
    if not settings.login_client_id:
        yield "login_client_id", "must name the platform's client at the login"


def _is_near(address: str) -> bool:
    return address.startswith("unix:") or _is_loopback(address.rpartition(":")[0].strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
