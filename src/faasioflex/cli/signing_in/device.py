"""RFC 8628: a code here, which somebody types in a browser anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable

from faasioflex.cli.signing_in.oauth import DEVICE_CODE, Endpoints, Posting, Refused, taken
from faasioflex.cli.signing_in.stored import Tokens
from faasioflex.client.wire import Target
from faasioflex.model.errors import BadRequest, DeadlineExceeded

SLOWER_S = 5.0  # RFC 8628, 3.5


def by_device(
    target: Target,
    endpoints: Endpoints,
    say: Callable[[str], None],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Tokens:
    """Returns when somebody has agreed. Raises: Refused, DeadlineExceeded."""
    if endpoints.device is None:
        raise BadRequest("This login has no device codes: leave --device out")
    posting = Posting(target)
    given = posting.post(endpoints.device, {"client_id": endpoints.client_id, "scope": endpoints.scopes})
    say(f"Open {given.get('verification_uri_complete') or given['verification_uri']}")
    say(f"and enter the code {given['user_code']}, unless it is there already.")
    interval_s = float(given.get("interval") or 5)
    deadline = clock() + float(given.get("expires_in") or 600)
    form = {"grant_type": DEVICE_CODE, "client_id": endpoints.client_id, "device_code": str(given["device_code"])}
    while clock() < deadline:
        sleep(interval_s)
        try:
            return taken(target, endpoints, posting.post(endpoints.token, form))
        except Refused as refused:
            if refused.error == "slow_down":
                interval_s += SLOWER_S
            elif refused.error != "authorization_pending":
                raise
    raise DeadlineExceeded("Nobody entered the code in time: 'ffx login --device' shows another one")
