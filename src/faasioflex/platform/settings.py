"""Every setting of a platform in one table: default, unit, and why that value. Flags win over the environment, that over the file.

A setting ``port`` is ``--port`` where the command has that flag, ``FFX_PORT`` in the environment, ``port`` in the file of
``--config`` (TOML, or YAML by its ending). The supervisor hands all of them to the parts through the environment.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from faasioflex.manager.capacity.weights import parse_weights
from faasioflex.model.addresses import parse_allowances
from faasioflex.model.callback import parse_callback_hosts
from faasioflex.model.egress import parse_all
from faasioflex.model.errors import FieldError, Invalid
from faasioflex.platform.apisix import gateway_problems
from faasioflex.platform.folder import DataFolder
from faasioflex.platform.login_settings import login_problems
from faasioflex.platform.observing import observing_problems
from faasioflex.platform.setting_values import convert, read

MIB = 1024 * 1024
RuntimeName = Literal["sandbox", "docker", "process"]
_PATHS = frozenset(
    {
        "data",
        "tls_cert",
        "tls_key",
        "secrets_key_file",
        "memory_folder",
        "runtimes",
        "cache",
        "dex_grpc_ca",
        "dex_grpc_cert",
        "dex_grpc_key",
        "login_file",
        "smtp_password_file",
        "otlp_headers_file",
        "apisix_key_file",
    }
)
_LISTS = frozenset(  # one text, or a list in a file
    {"egress_allow", "build_egress", "callback_hosts", "login_audiences", "admin_emails", "memory_weights"}
)
ENVIRONMENT_PREFIX = "FFX_"
_HOST_NAME = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*", re.IGNORECASE
)


def _setting(default: Any, unit: str, reason: str) -> Any:
    return field(default=default, metadata={"unit": unit, "reason": reason})


@dataclass(frozen=True)
class Settings:
    """Resolved and checked; ``to_environment`` and ``load`` are each other's inverse."""

    data: str = _setting("", "folder", "everything the platform keeps; empty: $XDG_DATA_HOME/faasioflex")
    host: str = _setting("127.0.0.1", "address", "nobody elsewhere reaches it until told; others need TLS")
    port: int = _setting(8080, "TCP port", "0 takes a free one and keeps it in the data folder")
    public_url: str | None = _setting(
        None,
        "URL",
        "how people reach the platform, also through a proxy: tokens and links name it; empty: the gateway's",
    )
    insecure_plain_http: bool = _setting(
        False, "true or false", "plain HTTP off loopback: whoever listens on the way reads the tokens"
    )
    admin_email: str = _setting("admin@localhost", "e-mail", "of the login that the first start makes")
    login: str = _setting("embedded", "driver", "people log in at the platform itself; dex or oidc: docs/login.md")
    sign_up: str = _setting(
        "invitation", "way", "who may make an account: open (whoever reads their mails), invitation, closed"
    )
    login_file: str | None = _setting(None, "YAML file", "staticPasswords and staticClients as Dex reads them")
    smtp_host: str = _setting("", "host name", "sends mails; empty: they are kept in DIR/identity/outbox")
    smtp_port: int = _setting(587, "TCP port", "of submission, with STARTTLS")
    smtp_tls: str = _setting("starttls", "way", "starttls (demanded), tls from the first byte, or none")
    smtp_from: str = _setting("faasioflex@localhost", "e-mail", "whom mails are from")
    smtp_user: str | None = _setting(None, "name", "at the SMTP server; none: without logging in")
    smtp_password_file: str | None = _setting(None, "file", "its password, read at every mail")
    login_issuer: str = _setting(
        "", "URL", "of Dex or another OpenID Connect issuer, as its discovery document names it"
    )
    login_client_id: str = _setting("faasioflex", "client", "of the platform at that login: whom its ID tokens are for")
    login_audiences: str = _setting("", "client ids", "of other clients whose ID tokens are taken too; none")
    login_groups_claim: str = _setting("groups", "claim", "where its ID tokens name groups; a path has dots")
    dex_grpc: str = _setting("", "HOST:PORT", "Dex's gRPC API, which makes and changes people; empty: Dex alone does")
    dex_grpc_ca: str | None = _setting(None, "PEM file", "its authority; without it Dex must be on loopback")
    dex_grpc_cert: str | None = _setting(None, "PEM file", "the platform's certificate for it")
    dex_grpc_key: str | None = _setting(None, "PEM file", "its private key")
    admin_emails: str = _setting(
        "", "e-mails", "verified ones that become admin at their first login, where the login is not embedded"
    )
    key_rotation_days: float = _setting(
        90.0, "days", "another key signs tokens then, the old ones verify until theirs have ended; 0: by hand only"
    )
    secrets_key_file: str | None = _setting(
        None, "file", "the master key of secrets; empty: DIR/identity/master.key, made at the first start"
    )
    secrets_kms_command: str = _setting(
        "", "command", "wraps and unwraps keys of secrets with a master key that never comes here: docs/secrets.md"
    )
    memory_folder: str | None = _setting(
        None, "folder", "a tmpfs for the secrets and tokens of running functions; empty: /dev/shm"
    )
    runtime: str = _setting("sandbox", "driver", "bubblewrap needs neither root nor Docker")
    pool_memory_bytes: int = _setting(
        96 * MIB,
        "bytes",
        "of sandboxes that wait for a first call, some 16 MiB each and 30 of Node; 0: every start is a cold one",
    )
    result_cache_bytes: int = _setting(
        64 * MIB, "bytes", "of answers that are given again without a call, over all functions with cache; 0 keeps none"
    )
    memory_budget_bytes: int = _setting(
        0, "bytes", "all instances' limits together; 0: four fifths of what the machine (or its control group) has"
    )
    memory_weights: str = _setting(
        "", "NAMESPACE=WEIGHT", "shop=3 lab=0.5: who gets more of the budget when it is used up; all others have 1"
    )
    cache: str = _setting("", "folder", "fetched toolchains, for all platforms; empty: $XDG_CACHE_HOME/faasioflex")
    runtimes: str = _setting("", "folder", "more languages beside those that come along: docs/add-a-language.md")
    tls: str | None = _setting(None, "self-signed", "a certificate of an authority of the platform's own")
    tls_cert: str | None = _setting(None, "PEM file", "certificate chain; read again when the file is replaced")
    tls_key: str | None = _setting(None, "PEM file", "its private key")
    functions_host: str | None = _setting(
        None, "host name", "functions answer on it alone, and nothing else does: an origin of their own in browsers"
    )
    gateway: str = _setting("envoy", "driver", "Envoy comes along with 'ffx up'; apisix: docs/apisix.md")
    apisix_admin: str = _setting("", "URL", "of APISIX's Admin API, without a path")
    apisix_key_file: str | None = _setting(None, "file", "its key: the admin_key of APISIX's config.yaml")
    apisix_metrics: str = _setting(
        "", "URL", "of its Prometheus exporter; empty: the Admin API's host, port 9091, /apisix/prometheus/metrics"
    )
    apisix_api: str = _setting("127.0.0.1:8001", "HOST:PORT", "where APISIX reaches our API: it has no unix sockets")
    apisix_invoker: str = _setting("127.0.0.1:8002", "HOST:PORT", "where APISIX reaches our invoker")
    apisix_discovery: str = _setting(
        "", "URL", "where APISIX finds the keys of our tokens; empty: /oidc/.well-known/openid-configuration of our API"
    )
    log_level: str = _setting("info", "level", "what our parts write; a call writes no line at info")
    log_file_bytes: int = _setting(10 * MIB, "bytes", "a day of a busy platform; opens in any editor")
    log_files: int = _setting(5, "files", "kept per part: with the size above at most 50 MiB each")
    nats_host: str = _setting(
        "127.0.0.1", "address", "where NATS clients connect; off loopback with TLS only, by the gateway's certificate"
    )
    nats_sync_interval_s: float = _setting(
        0.5, "seconds", "what a power cut may lose; 0 syncs every write and costs four fifths of the throughput"
    )
    nats_max_payload_bytes: int = _setting(16 * MIB, "bytes", "the biggest body on the bus (CONTRACT.md 5)")
    nats_max_memory_bytes: int = _setting(64 * MIB, "bytes", "JetStream in memory: no bucket of ours is, so little")
    nats_max_file_bytes: int = _setting(
        16 * 1024 * MIB, "bytes", "JetStream on disk: buckets and streams reserve 5 GiB, and queue_bytes"
    )
    queue_messages: int = _setting(
        500_000, "calls", "asynchronous ones that may wait, of all functions; 1 KB of the invoker's memory for each"
    )
    queue_bytes: int = _setting(2048 * MIB, "bytes", "that they may take on disk, of all functions together")
    queue_per_function: int = _setting(200_000, "calls", "asynchronous ones of one function that may wait")
    egress_allow: str = _setting(
        "", "addresses", "10.1.2.3:5432 10.2.0.0/16: those not public that functions may reach which name them; none"
    )
    callback_hosts: str = _setting(
        "",
        "hosts",
        "hooks.internal:8080 10.1.2.3: where outcomes may be posted that is not public (docs/async.md); none",
    )
    build_egress: str = _setting(
        "", "hosts", "files.example.org *.example.net: what fetching packages may reach beside the registries; none"
    )
    otlp_endpoint: str = _setting(
        "", "URL", "where traces go by OTLP over HTTP, like http://127.0.0.1:4318 (docs/metrics.md); empty: nowhere"
    )
    otlp_headers_file: str | None = _setting(
        None, "file", "NAME: VALUE a line, for every request to that collector, like its API key; none"
    )
    trace_ratio: float = _setting(0.1, "share", "of the calls that are traced whose caller has not decided it: 0 to 1")
    alert_overload_percent: float = _setting(
        5.0, "percent", "of a function's calls in a minute that found no place; of every alert: 0 switches it off"
    )
    alert_error_percent: float = _setting(10.0, "percent", "of a function's calls in a minute that failed")
    alert_queue_age_s: float = _setting(300.0, "seconds", "that a queued call has waited which may run")
    alert_crashes: int = _setting(3, "instances", "of a function that ended unwanted within five minutes")
    alert_capacity_percent: float = _setting(95.0, "percent", "of the memory for instances that is given away")
    alert_after_s: float = _setting(
        30.0, "seconds", "that it must be so before an alert begins; it ends after a minute at half of it"
    )
    start_timeout_s: float = _setting(120.0, "seconds", "a big store takes nats-server a while after a crash")

    @property
    def folder(self) -> DataFolder:
        return DataFolder.at(self.data or default_data())

    @property
    def secure(self) -> bool:
        return self.tls is not None or self.tls_cert is not None

    def url(self, gateway_url: str) -> str:
        """How people reach the platform, without a slash at the end."""
        return (self.public_url or gateway_url).rstrip("/")

    @property
    def host_names(self) -> frozenset[str]:
        """Names of the platform besides this machine's addresses: requests that call it otherwise are refused."""
        name = urlsplit(self.public_url or "").hostname
        return frozenset({name} if name else ())

    def functions_url(self, gateway_url: str) -> str:
        """Where functions answer: the gateway's scheme and port with their own host name; "" where they have none."""
        if self.functions_host is None:
            return ""
        gateway = urlsplit(self.url(gateway_url))
        port = f":{gateway.port}" if gateway.port else ""
        return f"{gateway.scheme or 'http'}://{self.functions_host}{port}"

    @classmethod
    def load(
        cls,
        flags: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        file: Path | None = None,
    ) -> Settings:
        """Merge and check. None among ``flags`` means: not given. Raises Invalid naming each wrong setting."""
        environment = os.environ if environment is None else environment
        given: dict[str, Any] = _absolute(read(file), file.absolute().parent) if file else {}
        for item in dataclasses.fields(cls):
            text = environment.get(ENVIRONMENT_PREFIX + item.name.upper())
            if text is not None and text != "":
                given.update(_absolute({item.name: text}, Path.cwd()))
        given.update(_absolute({n: value for n, value in (flags or {}).items() if value is not None}, Path.cwd()))
        problems: list[FieldError] = []
        values: dict[str, Any] = {}
        types = {item.name: str(item.type) for item in dataclasses.fields(cls)}
        for name, value in given.items():
            if name not in types:
                problems.append(FieldError(f"/{name}", f"there is no such setting; there are {', '.join(types)}"))
                continue
            try:
                text = " ".join(map(str, value)) if name in _LISTS and isinstance(value, list) else value
                values[name] = convert(types[name], text)
            except ValueError as error:
                problems.append(FieldError(f"/{name}", str(error)))
        settings = cls(**values)
        problems += settings._problems()
        if problems:
            raise Invalid(
                "The settings are wrong: " + "; ".join(f"{p.pointer[1:]}: {p.message}" for p in problems),
                errors=tuple(problems),
            )
        return settings

    def to_environment(self) -> dict[str, str]:
        """As variables for a part: all that differ from the default, the data folder always."""
        found = {
            ENVIRONMENT_PREFIX + item.name.upper(): str(value)
            for item in dataclasses.fields(self)
            if (value := getattr(self, item.name)) != item.default
        }
        return found | {"FFX_DATA": str(self.folder.root)}

    def _problems(self) -> list[FieldError]:
        found = []
        if not 0 <= self.port <= 65535:
            found.append(FieldError("/port", "must be 0 to 65535"))
        if self.runtime not in get_args(RuntimeName):
            found.append(FieldError("/runtime", f"must be one of {', '.join(get_args(RuntimeName))}"))
        if self.tls not in {None, "self-signed"}:
            found.append(FieldError("/tls", "must be self-signed; files are named by tls_cert and tls_key"))
        if (self.tls_cert is None) != (self.tls_key is None):
            found.append(FieldError("/tls_cert", "a certificate needs its key and a key its certificate"))
        if self.tls is not None and self.tls_cert is not None:
            found.append(FieldError("/tls", "either self-signed or files, not both"))
        if self.functions_host is not None and not _HOST_NAME.fullmatch(self.functions_host):
            found.append(
                FieldError("/functions_host", "must be a host name without a port, like functions.example.org")
            )
        if self.log_level not in {"debug", "info", "warning", "error"}:
            found.append(FieldError("/log_level", "must be debug, info, warning or error"))
        positive = (
            "log_file_bytes",
            "log_files",
            "nats_max_memory_bytes",
            "nats_max_file_bytes",
            "queue_messages",
            "queue_bytes",
            "queue_per_function",
            "start_timeout_s",
        )
        found += [FieldError(f"/{name}", "must be above 0") for name in positive if getattr(self, name) <= 0]
        natural = ("memory_budget_bytes", "result_cache_bytes")
        found += [FieldError(f"/{name}", "must be 0 or more") for name in natural if getattr(self, name) < 0]
        if not 0 <= self.key_rotation_days <= 3650:
            found.append(FieldError("/key_rotation_days", "must be 0 (by hand only) to 3650"))
        if self.nats_sync_interval_s < 0:
            found.append(FieldError("/nats_sync_interval_s", "must be 0 (every write) or more"))
        parsed = {
            "egress_allow": parse_allowances,
            "build_egress": parse_hosts,
            "callback_hosts": parse_callback_hosts,
            "memory_weights": parse_weights,
        }
        for name, parse in parsed.items():
            try:
                parse(getattr(self, name))
            except ValueError as error:
                found.append(FieldError(f"/{name}", str(error)))
        if not MIB <= self.nats_max_payload_bytes <= 64 * MIB:
            found.append(FieldError("/nats_max_payload_bytes", "must be 1 MiB to 64 MiB, which is NATS's own bound"))
        return found + self._problems_of_names()

    def _problems_of_names(self) -> list[FieldError]:
        found = []
        if self.public_url is not None and not _is_origin(self.public_url):
            found.append(
                FieldError("/public_url", "must be https://HOST or https://HOST:PORT (or http), without a path")
            )
        found += [FieldError(f"/{name}", message) for name, message in login_problems(self)]
        found += [FieldError(f"/{name}", message) for name, message in observing_problems(self)]
        found += [FieldError(f"/{name}", message) for name, message in gateway_problems(self)]
        if not _is_address(self.nats_host):
            found.append(
                FieldError(
                    "/nats_host", "must be an address of this machine, like 127.0.0.1 or 0.0.0.0 for all of them"
                )
            )
        if not re.fullmatch(r"[^@\s]{1,64}@[^@\s]{1,190}", self.admin_email):
            found.append(FieldError("/admin_email", "must be an e-mail address, like admin@example.org"))
        return found


def parse_hosts(text: str) -> tuple[str, ...]:
    """The entries of ``build_egress``, separated by spaces or commas. Raises: ValueError with a sentence."""
    entries = tuple(text.replace(",", " ").split())
    parse_all(entries)
    return entries


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain


def default_data() -> Path:
    """``$XDG_DATA_HOME/faasioflex``, as the XDG base directory specification says: a relative value is ignored."""
    configured = os.environ.get("XDG_DATA_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path("~/.local/share").expanduser()
    return base / "faasioflex"


def _absolute(given: dict[str, Any], base: Path) -> dict[str, Any]:
    """Paths in a file are relative to the file, others to the working folder; a part may run in another one."""
    paths = {n: str(base / Path(v).expanduser()) for n, v in given.items() if n in _PATHS and isinstance(v, str) and v}
    return given | paths
