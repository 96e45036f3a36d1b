"""A typed client of the platform's API, blocking and asynchronous. It stands alone: of ours it imports the nouns only.

>>> from pathlib import Path
>>> from faasioflex.client import Client
>>> with Client("http://127.0.0.1:8080", token=Path("token-file")) as platform:
...     print(platform.execute("hello", {"name": "Ada"}).result)
"""

from __future__ import annotations

from faasioflex.client.asynchronous import AsyncClient
from faasioflex.client.blocking import Client
from faasioflex.client.errors import ApiError, Unreachable, Unreadable
from faasioflex.client.identity_models import (
    Binding,
    Grant,
    Group,
    Namespace,
    Quota,
    Scope,
    Secret,
    TokenInfo,
    User,
    Whoami,
)
from faasioflex.client.models import (
    Alert,
    Answer,
    CallbackKey,
    DeadLetter,
    Event,
    Function,
    FunctionMetrics,
    Health,
    Invocation,
    LogLine,
    Metrics,
    Page,
    Redriven,
    Revision,
    Source,
    Status,
    Version,
)
from faasioflex.client.request import NO_RETRY, RetryPolicy
from faasioflex.client.tokens import Token
from faasioflex.client.wire import Target

__all__ = [
    "Alert",
    "Answer",
    "ApiError",
    "AsyncClient",
    "Binding",
    "CallbackKey",
    "Client",
    "DeadLetter",
    "Event",
    "Function",
    "FunctionMetrics",
    "Grant",
    "Group",
    "Health",
    "Invocation",
    "LogLine",
    "Metrics",
    "NO_RETRY",
    "Namespace",
    "Page",
    "Quota",
    "Redriven",
    "RetryPolicy",
    "Revision",
    "Scope",
    "Secret",
    "Source",
    "Status",
    "Target",
    "Token",
    "TokenInfo",
    "Unreachable",
    "Unreadable",
    "User",
    "Version",
    "Whoami",
]
