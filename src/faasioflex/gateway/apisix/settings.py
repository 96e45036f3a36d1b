"""What the platform decides about the APISIX that it drives. Everything else is a rule that stands in the renderers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "ffx-"  # of the ids of our objects; objects without it are somebody else's


@dataclass(frozen=True)
class ApisixSettings:
    """``admin_url``: of the Admin API, without a path. ``key_file`` holds its key and is read again after a refusal.

    ``api`` and ``invoker``: HOST:PORT where APISIX reaches them, over TCP: it has no unix-socket upstreams.
    ``discovery``: URL of the OpenID Connect discovery document of our tokens' issuer, as APISIX reaches it.
    ``metrics_url``: what its Prometheus exporter serves.
    ``proof``: what the invoker is shown with a call that the gateway has let through; "" shows nothing.
    """

    admin_url: str
    key_file: Path
    api: str
    invoker: str
    discovery: str
    metrics_url: str
    proof: str = field(default="", repr=False)
    functions_host: str | None = None  # functions answer on this host name only, without the sandbox header
    longest_timeout_s: float = 3600.0  # silence bound of the API and of calls that the invoker times
    linger_s: float = 10.0  # how long an upstream stays after the last route to it went: workers follow in milliseconds
    repair_s: float = 10.0  # between two looks at everything that is there
    metrics_s: float = 1.0  # between two looks at the metrics
    timeout_s: float = 5.0  # of one request
    patience_s: float = 3.0  # how long a request is tried again
