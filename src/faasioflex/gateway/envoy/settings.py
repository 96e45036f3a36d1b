"""What the platform decides about its Envoy. Everything else is a rule that stands in the renderers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

MIB = 1024 * 1024


@dataclass(frozen=True)
class Tracing:
    """``endpoint``: URL that takes OTLP over HTTP, with its path; ``headers`` go with each of its requests.

    ``ratio``: share of the calls that are traced whose caller has not decided it.
    """

    endpoint: str
    ratio: float
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class EnvoySettings:
    """Paths are absolute. ``folder`` (0700) takes the files that :func:`bootstrap.write` makes.

    ``ads_socket``, ``api_socket``, ``invoker_socket``: where our parts listen; ``admin_socket``: Envoy's admin interface,
    made by Envoy with mode 0600. ``tls_cert`` and ``tls_key`` (PEM, both or neither) are read again when a file is renamed
    into their folder.
    """

    folder: Path
    ads_socket: Path
    api_socket: Path
    invoker_socket: Path
    admin_socket: Path
    functions_socket: Path | None = None  # where functions call functions (FFX_URL); made by Envoy with mode 0600
    host: str = "127.0.0.1"
    port: int = 8080
    tls_cert: Path | None = None
    tls_key: Path | None = None
    workers: int = 1  # one worker does 16,500 requests/s; the second core belongs to the functions
    access_log: Path | None = None  # none by default: a line per request costs more than the request's routing
    functions_host: str | None = None  # functions answer on this host name only, without the sandbox header
    trusted_proxies: int = 0  # proxies in front whose X-Forwarded-For entries are believed
    heap_bytes: int = 512 * MIB  # at 95 % of it new requests get 503, at 98 % connections are refused
    max_connections: int = 8192
    control_plane_wait_s: float = (
        0.4  # how long a start waits, twice (clusters, routes), for the control plane before it serves without it
    )
    longest_timeout_s: float = 3600.0  # silence bound of the API and of calls that the invoker times
    upstream_idle_s: float = 4.0  # below every runtime's keep-alive (>= 75 s): see ADR 5
    client_idle_s: float = 300.0  # a kept connection without a request
    headers_timeout_s: float = 10.0  # from a connection's first byte to the end of its request's headers
    proof: str = field(default="", repr=False)  # what the invoker shows with timings of its own; "": nobody's are taken
    node: str = "gateway.local"
    tracing: Tracing | None = None
