"""The API in this process, over a bus, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from faasioflex.api.app import create_app
from faasioflex.bus.port import Bus

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
    app = create_app(bus, invoker_socket=invoker_socket, readiness=readiness)
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=BASE_URL) as client:
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
