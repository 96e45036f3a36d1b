"""Who asks, in the server's own words: a request out of the users' account carries what the server knows of its client."""

from __future__ import annotations

import json
from collections.abc import Mapping

from faasioflex.model.messages import USERS_ACCOUNT

REQUEST_INFO = "Nats-Request-Info"  # set by the server on an import with share: true, whatever the client has sent


def asker_of(headers: Mapping[str, str] | None) -> str:
    """The name under which the client was let in; "" where the request comes from a part of ours, or from nobody known."""
    if headers is None or REQUEST_INFO not in headers:
        return ""
    try:
        info = json.loads(headers[REQUEST_INFO])
    except ValueError:
        return ""
    if not isinstance(info, dict) or info.get("acc") != USERS_ACCOUNT or info.get("kind") != "Client":
        return ""
    user = info.get("user")
    return user if isinstance(user, str) else ""
