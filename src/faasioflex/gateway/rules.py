"""What holds at every gateway, whatever proxy it is: paths and methods that are refused, and what functions' answers may not say."""

from __future__ import annotations

_SEPARATOR = r"(?:/|\\|%2[fF]|%5[cC])"
_DOTS = r"(?:\.|%2[eE]){1,2}"
# The whole of a raw target that parts behind us could read in two ways.
REFUSED_PATH = rf"[^?]*(?:(?:%00|\\|[\x00-\x20\x7f]).*|{_SEPARATOR}{_DOTS}(?:(?:{_SEPARATOR}|[;?#]).*)?)"
REFUSED_METHODS = "TRACE"
SANDBOX = "sandbox allow-scripts allow-forms"
# What a browser keeps for a whole origin: functions share theirs with the console and with each other.
ORIGIN_WIDE_HEADERS = [
    "service-worker-allowed",
    "clear-site-data",
    "strict-transport-security",
    "alt-svc",
    "public-key-pins",
    "nel",
    "report-to",
    "accept-ch",
    "critical-ch",
    "origin-agent-cluster",
]
BACKSTOP_S = 5.0  # the runtime and the invoker answer 504 themselves; a gateway only when they do not
