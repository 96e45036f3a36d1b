"""The FastAPI application."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import Depends, FastAPI

from faasioflex import __version__
from faasioflex.api import openapi, problems
from faasioflex.api.alerts.rules import Thresholds
from faasioflex.api.authority import OPEN, SIGNED_IN, undecided
from faasioflex.api.context import Readiness, Services
from faasioflex.api.edge import Edge
from faasioflex.api.identity import ApiIdentity
from faasioflex.api.processes import Pids, own
from faasioflex.api.queries import refuse_unknown
from faasioflex.api.routes import (
    alerts,
    bindings,
    cache,
    dead_letters,
    events,
    execute,
    functions,
    grants,
    groups,
    invocations,
    logs,
    metrics,
    namespaces,
    oidc,
    platform,
    quotas,
    revisions,
    secrets,
    tokens,
    users,
    whoami,
)
from faasioflex.bus.port import Bus

ROUTES = (functions, cache, execute, revisions, logs, metrics, alerts, invocations, dead_letters, events, platform)
OF_CALLERS = (
    users,
    groups,
    namespaces,
    bindings,
    grants,
    quotas,
    secrets,
    tokens,
    whoami,
)  # each asks the policy by itself


def create_app(
    bus: Bus,
    identity: ApiIdentity,
    *,
    invoker_socket: Path,
    readiness: Readiness,
    now: Callable[[], float] = time.time,
    hosts: frozenset[str] = frozenset(),
    functions_url: str = "",
    pids: Pids = own,
    thresholds: Thresholds | None = None,
) -> FastAPI:
    """The API over a bus whose buckets and streams exist.

    ``readiness``: part -> None where it is ready, else why not. ``hosts``: names of the platform besides loopback ones.
    ``functions_url``: where functions have a host of their own, like ``http://functions.example.org:8080``.
    ``pids``: of the platform's processes, by name. ``thresholds``: of alerts.
    ``app.state.services`` is started and stopped by the app's lifespan; starting waits for the bus.
    """
    services = Services(
        bus,
        identity,
        invoker_socket=invoker_socket,
        readiness=readiness,
        now=now,
        functions_url=functions_url,
        pids=pids,
        thresholds=thresholds,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await services.start()
        try:
            yield
        finally:
            await services.stop()

    app = FastAPI(
        title="FaaSioFlex",
        version=__version__,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        dependencies=[Depends(refuse_unknown)],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.services = services
    app.add_middleware(Edge, hosts=hosts)
    problems.install(app)
    openapi.install(app)
    for module in ROUTES:
        app.include_router(module.router)
    for module in OF_CALLERS:
        app.include_router(module.router, dependencies=SIGNED_IN)
    for router in (oidc.router, *identity.routers):
        app.include_router(router, dependencies=OPEN)
    unreachable = undecided(app.routes)
    if unreachable:
        raise AssertionError(f"nothing says who may use {', '.join(unreachable)}")
    return app
