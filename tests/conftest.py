"""For all suites."""

from __future__ import annotations

import os

# The gateway's tests serve gRPC and start an Envoy from the same process. gRPC's fork handlers would run in the child before it
# becomes Envoy, and end it now and then. Read when grpc is imported, so it stands here.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
