"""How often a function may be called straight: one limit-count for all functions, whose rules count what a call's variables say.

A rule whose variable is not set does not apply. (A call to which none applies may not come here: APISIX answers it with 500.)
Since bounds and callers are variables, the plugin's configuration never changes, and no change of a function begins a counter
anew.
"""

from __future__ import annotations

from faasioflex.gateway.apisix.objects import Json
from faasioflex.model.errors import RateLimited
from faasioflex.model.problem import PROBLEM_TYPE_BASE

WINDOW_S = 60
_REFUSED = {
    "type": PROBLEM_TYPE_BASE + RateLimited.code,
    "title": RateLimited.title,
    "status": 429,
    "detail": "More calls in a minute than are let through for one caller, this function or its namespace. Try again after "
    "Retry-After seconds.",
    "code": RateLimited.code,
}


def limit_count() -> Json:
    """After admission, so that nobody learns from a 429 of a function that they may not see."""
    return {
        "rules": [
            {"key": "caller $ffx_caller", "count": "$ffx_per_caller", "time_window": WINDOW_S},
            {"key": "function $ffx_function", "count": "$ffx_per_function", "time_window": WINDOW_S},
            {"key": "namespace $ffx_namespace", "count": "$ffx_per_namespace", "time_window": WINDOW_S},
        ],
        "rejected_code": 429,
        "policy": "local",
        "show_limit_quota_header": False,
        "_meta": {"filter": [["ffx_bounded", "==", "1"]], "error_response": _REFUSED},
    }
