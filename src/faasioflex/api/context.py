"""What the routes work with, made once per app."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi import Path as PathParameter

from faasioflex.api import processes
from faasioflex.api.alerts.book import Alerts
from faasioflex.api.alerts.rules import Thresholds
from faasioflex.api.census import Census
from faasioflex.api.decisions import Decisions
from faasioflex.api.identity import ApiIdentity
from faasioflex.api.identity_resources import IdentityResources
from faasioflex.api.invoker import InvokerClient
from faasioflex.api.load import Load
from faasioflex.api.measures import Measures
from faasioflex.api.queue import Calls
from faasioflex.api.resource.answer import etag
from faasioflex.api.uploads import Uploads
from faasioflex.bus.port import Bus
from faasioflex.manager.functions.registry import Registry
from faasioflex.manager.functions.update import Guard
from faasioflex.manager.secrets.callback_keys import CallbackKeys, CallbackSigner
from faasioflex.model.errors import PreconditionFailed
from faasioflex.model.function import FunctionRecord
from faasioflex.model.names import NAME_PATTERN, FunctionName

Readiness = Callable[[], dict[str, str | None]]
LONGEST_WAIT_S = 600


class Services:
    """Started by the app's lifespan, or by ``ApiPart`` before it serves. ``closing`` ends followed streams."""

    def __init__(
        self,
        bus: Bus,
        identity: ApiIdentity,
        *,
        invoker_socket: Path,
        readiness: Readiness,
        now: Callable[[], float],
        functions_url: str = "",
        pids: processes.Pids = processes.own,
        thresholds: Thresholds | None = None,
    ) -> None:
        self.functions_url = functions_url  # of their own host, if they have one
        self.bus = bus
        self.identity = identity
        self.resources = IdentityResources(bus, identity, now)
        self.now = now
        self.readiness = readiness
        self.registry = Registry(bus)
        self.calls = Calls(bus)
        self.callback_keys = CallbackKeys(identity.secrets, now) if identity.secrets is not None else None
        self._signer = CallbackSigner(bus, self.callback_keys) if self.callback_keys is not None else None
        self.uploads = Uploads()
        self.invoker = InvokerClient(invoker_socket)
        self.load = Load(bus, now)
        self.measures = Measures(bus, now, self._uid_of, self.load)
        self.census = Census(self.registry)
        self.decisions = Decisions(bus)
        self.alerts = Alerts(bus, self.measures, self.load, uid_of=self._uid_of, now=now, thresholds=thresholds)
        self.pids = pids
        self.closing = asyncio.Event()
        self._started = False

    async def start(self) -> None:
        if not self._started:
            self._started = True
            await self.identity.start()
            await self.registry.start()
            await self.load.start()
            await self.measures.start()
            if self._signer is not None:
                await self._signer.start()
            await self.decisions.start()
            await self.alerts.start()
            self.census.start()

    async def stop(self) -> None:
        self.closing.set()
        if self._started:
            self._started = False
            self.census.stop()
            await self.alerts.stop()
            await self.decisions.stop()
            await self.measures.stop()
            await self.load.stop()
            await self.registry.stop()
            await self.identity.stop()
            await self.invoker.close()

    def exists(self, function: FunctionName) -> bool:
        """Whether the name is taken now, as this process knows."""
        return self._uid_of(function) is not None

    def _uid_of(self, function: FunctionName) -> str | None:
        entry = self.registry.functions.entries.get(function.key)
        return entry.value.uid if entry is not None else None


def services_of(request: Request) -> Services:
    """Of the app that serves the request."""
    found: Services = request.app.state.services
    return found


async def services(request: Request) -> Services:
    return services_of(request)


async def function_name(
    namespace: Annotated[str, PathParameter(pattern=NAME_PATTERN, max_length=40)],
    name: Annotated[str, PathParameter(pattern=NAME_PATTERN, max_length=40)],
) -> FunctionName:
    return FunctionName(namespace, name)


Context = Annotated[Services, Depends(services)]
Function = Annotated[FunctionName, Depends(function_name)]
WaitS = Annotated[
    float,
    Query(
        ge=0,
        le=LONGEST_WAIT_S,
        allow_inf_nan=False,
        description="Answer when the newest revision is ready, idle or failed, at the latest after so many seconds",
    ),
]


def if_match(request: Request) -> Guard | None:
    """A check of the request's If-Match; None where it has none. The check raises: PreconditionFailed."""
    wanted = request.headers.get("if-match")
    if wanted is None:
        return None
    tags = {tag.strip() for tag in wanted.split(",")}

    def guard(record: FunctionRecord) -> None:
        if "*" not in tags and etag(record) not in tags:
            raise PreconditionFailed(
                f"{record.function} was changed meanwhile: read it again, its ETag is {etag(record)}"
            )

    return guard
