"""The API in this process, over a bus, and a client of it, who is the local admin."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from faasioflex.api.app import create_app
from faasioflex.bus.port import Bus
from support.identity import TestIdentity

BASE_URL = "http://127.0.0.1"
CODE = {"files": {"main.py": "def handle(event, context):\n    return 1\n"}}


def ready() -> dict[str, str | None]:
    return {"bus": None}


@asynccontextmanager
async def api(
    bus: Bus,
    *,
    invoker_socket: Path = Path("/nonexistent/invoker.sock"),
    readiness: Callable[[], dict[str, str | None]] = ready,
) -> AsyncIterator[httpx.AsyncClient]:
    identity = TestIdentity(bus)
    await identity.people.ensure_local_admin()
    app = create_app(bus, identity.api, invoker_socket=invoker_socket, readiness=readiness)
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url=BASE_URL, headers={"Authorization": f"Bearer {identity.admin}"}
    )
    async with app.router.lifespan_context(app), client:
        yield client


def function(name: str = "hello", **fields: Any) -> dict[str, Any]:
    """A document that registers."""
    return {"name": name, "runtime": "python", "source": CODE, **fields}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code, after checking that the problem is one."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail"} <= set(problem)
    return answer.status_code, problem["code"]
