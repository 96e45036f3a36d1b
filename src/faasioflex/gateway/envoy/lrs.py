"""Load reporting (LRS): Envoy says every half second how many calls each revision has on the direct path.

It begins to count a cluster's calls at the first report after the cluster came, so what was issued in the half second before is
missing from ``issued``; ``in_progress`` is right from the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from envoy.service.load_stats.v3 import lrs_pb2, lrs_pb2_grpc
from google.protobuf.duration_pb2 import Duration

from faasioflex.gateway.envoy.clusters import parse_cluster_name
from faasioflex.model.messages import RevisionLoad

INTERVAL_S = 0.5
BLIND_S = 2.0  # without a report for so long nothing is known any more


class LoadServer(lrs_pb2_grpc.LoadReportingServiceServicer):  # type: ignore[misc]  # generated, untyped
    """The servicer of ``LoadReportingService``. ``clock``: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._reported_at: float | None = None
        self._in_progress: dict[tuple[str, str, int], int] = {}
        self._issued: dict[tuple[str, str, int], int] = {}

    def take(self) -> tuple[RevisionLoad, ...] | None:
        """In progress as of the last report, issued since the ``take`` before; None while blind."""
        if self._reported_at is None or self._clock() - self._reported_at > BLIND_S:
            self._in_progress.clear()
            return None
        issued, self._issued = self._issued, {}
        return tuple(
            RevisionLoad(*key, in_progress=self._in_progress.get(key, 0), issued=issued.get(key, 0))
            for key in sorted(self._in_progress.keys() | issued.keys())
        )

    async def StreamLoadStats(self, requests: Any, context: Any) -> None:  # noqa: N802 - gRPC's name
        first = True
        async for request in requests:
            if first:
                first = False
                interval = Duration(nanos=int(INTERVAL_S * 1e9))
                await context.write(lrs_pb2.LoadStatsResponse(send_all_clusters=True, load_reporting_interval=interval))
                continue
            self.report(request)

    def report(self, request: Any) -> None:
        """One ``LoadStatsRequest``. Priority 1 is the invoker, which counts its calls itself."""
        self._reported_at = self._clock()
        self._in_progress = {}
        for cluster in request.cluster_stats:
            key = parse_cluster_name(cluster.cluster_name)
            if key is None:
                continue
            for stats in cluster.upstream_locality_stats:
                if stats.priority == 0:
                    self._in_progress[key] = self._in_progress.get(key, 0) + stats.total_requests_in_progress
                    self._issued[key] = self._issued.get(key, 0) + stats.total_issued_requests
