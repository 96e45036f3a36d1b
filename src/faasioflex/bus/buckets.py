"""Every bucket and stream of the platform in one table: name, type, bounds. ``bus/nats/setup`` creates them."""

from __future__ import annotations

from dataclasses import dataclass

from faasioflex.model.alert import Alert
from faasioflex.model.function import FunctionRecord, RevisionRecord
from faasioflex.model.identity import (
    BindingsRecord,
    GrantsRecord,
    GroupRecord,
    NamespaceKey,
    NamespaceRecord,
    Quota,
    RefreshFamily,
    Revocation,
    SecretRecord,
    TokenRecord,
    TokenUse,
    UserRecord,
)
from faasioflex.model.invocation import Invocation
from faasioflex.model.login import Account, AccountEmail, LoginState
from faasioflex.model.messages import QUEUE_SUBJECT
from faasioflex.model.queue import DeadLetter, LeaseRecord, Repeatable
from faasioflex.model.route import FunctionRoute
from faasioflex.model.status import DesiredScale, FunctionStatus

MIB = 1024 * 1024


@dataclass(frozen=True)
class BucketPlan:
    name: str
    value_type: type
    history: int = 1
    ttl_s: float | None = None
    max_bytes: int | None = None
    drops_oldest: bool = False  # when it is full; else it refuses what comes


@dataclass(frozen=True)
class StreamPlan:
    """``max_per_subject`` None: bounded by age, bytes and number only. The oldest go first, unless it ``refuses`` when full.

    ``max_age_s`` None: for ever. ``duplicates_s``: how long a message id is remembered; each costs the server memory of about
    100 bytes for that time.
    """

    name: str
    subjects: tuple[str, ...]
    max_age_s: float | None
    max_bytes: int
    max_per_subject: int | None = None
    duplicates_s: float = 120.0
    max_messages: int | None = None
    refuses: bool = False


FUNCTIONS = BucketPlan("ffx_functions", FunctionRecord, history=64)
REVISIONS = BucketPlan("ffx_revisions", RevisionRecord)
STATUS = BucketPlan("ffx_status", FunctionStatus, history=64)
SCALE = BucketPlan("ffx_scale", DesiredScale, history=16)  # of decisions, each of which becomes an event
ROUTES = BucketPlan("ffx_routes", FunctionRoute)
# most end much sooner; where there are too many the oldest outcomes go, rather than that nothing new can have one
INVOCATIONS = BucketPlan("ffx_invocations", Invocation, ttl_s=30 * 86_400, max_bytes=2048 * MIB, drops_oldest=True)
DEAD_LETTERS = BucketPlan("ffx_dead_letters", DeadLetter, ttl_s=14 * 86_400, max_bytes=1024 * MIB, drops_oldest=True)
IDEMPOTENCY = BucketPlan("ffx_idempotency", Repeatable, ttl_s=86_400, max_bytes=256 * MIB, drops_oldest=True)
LEASES = BucketPlan("ffx_leases", LeaseRecord)
ALERTS = BucketPlan("ffx_alerts", Alert, history=8)  # what is written when one begins and ends becomes an event
# of people, tokens and secrets nothing older is kept: who is deleted is gone, and so is a secret's value of before
USERS = BucketPlan("ffx_users", UserRecord)
GROUPS = BucketPlan("ffx_groups", GroupRecord, history=8)
NAMESPACES = BucketPlan("ffx_namespaces", NamespaceRecord, history=8)
BINDINGS = BucketPlan("ffx_bindings", BindingsRecord, history=8)
GRANTS = BucketPlan("ffx_grants", GrantsRecord, history=8)
TOKENS = BucketPlan("ffx_tokens", TokenRecord)
TOKEN_USE = BucketPlan("ffx_token_use", TokenUse)
REVOKED = BucketPlan("ffx_revoked", Revocation)
REFRESH = BucketPlan("ffx_refresh", RefreshFamily, ttl_s=30 * 86_400)  # what nobody refreshed for so long has ended
QUOTAS = BucketPlan("ffx_quotas", Quota)
SECRETS = BucketPlan("ffx_secrets", SecretRecord)
SECRET_KEYS = BucketPlan("ffx_keys", NamespaceKey)
LOGINS = BucketPlan("ffx_logins", Account)
LOGIN_EMAILS = BucketPlan("ffx_login_emails", AccountEmail)
LOGIN_STATE = BucketPlan("ffx_login_state", LoginState, ttl_s=8 * 86_400)  # invitations last longest
IDENTITY = (
    USERS,
    GROUPS,
    NAMESPACES,
    BINDINGS,
    GRANTS,
    TOKENS,
    TOKEN_USE,
    REVOKED,
    REFRESH,
    QUOTAS,
    SECRETS,
    SECRET_KEYS,
    LOGINS,
    LOGIN_EMAILS,
    LOGIN_STATE,
)
BUCKETS = (
    FUNCTIONS,
    REVISIONS,
    STATUS,
    SCALE,
    ROUTES,
    INVOCATIONS,
    DEAD_LETTERS,
    IDEMPOTENCY,
    LEASES,
    ALERTS,
    *IDENTITY,
)

CODE_OBJECTS = "ffx_code"
RESULT_OBJECTS = "ffx_results"  # of asynchronous calls, over 1 MiB, by invocation id
OBJECT_STORES = (CODE_OBJECTS, RESULT_OBJECTS)

# Events are few and must not come twice, also when the relay was down for a while between publishing and remembering.
EVENTS = StreamPlan("FFX_EVENTS", ("ffx.event.>",), 7 * 86_400, 256 * MIB, duplicates_s=3600.0)
LOGS = StreamPlan("FFX_LOGS", ("ffx.log.>",), 3 * 86_400, 1024 * MIB, max_per_subject=20_000)
BUILD_LOGS = StreamPlan("FFX_BUILD_LOGS", ("ffx.buildlog.>",), 30 * 86_400, 256 * MIB, max_per_subject=5_000)
# Calls that wait: they leave it one by one, when they have an outcome, and by no bound. A message id is remembered for as short
# as the server allows: the window is the whole stream's, so in a longer one an id of one user would swallow another's call. Ours
# carry none; what may be repeated for a day is in ``ffx_idempotency``, by caller and function.
CALLS = StreamPlan(
    "FFX_CALLS",
    (f"{QUEUE_SUBJECT}.*.*.*",),
    None,
    2048 * MIB,
    duplicates_s=0.1,
    max_messages=500_000,
    refuses=True,
)
STREAMS = (EVENTS, LOGS, BUILD_LOGS, CALLS)
