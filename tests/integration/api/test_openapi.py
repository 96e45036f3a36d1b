"""The published document: complete, and held to it by schemathesis over a real socket."""

from __future__ import annotations

import asyncio
import json
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import schemathesis
import uvicorn
from aiohttp import web
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi import checks

from faasioflex.api.app import create_app
from faasioflex.api.schema import function_schema
from faasioflex.api.write_schema import SCHEMA_FILE, text
from faasioflex.bus.codec import encode
from faasioflex.bus.memory import MemoryBus
from faasioflex.identity.port import Identity
from faasioflex.model.messages import PURGE_SUBJECT, Purged
from support.api_client import CODE, function, ready
from support.deadline import eventually
from support.identity import LOGIN, TestIdentity
from support.manager_double import obliging_manager

EXAMPLES = 3  # of each operation and kind; they are the same in every run, so that more would be found in the first
MORE_EXAMPLES = 12  # where chance was not right with those
THERE = {"user": "me", "group": "eng", "namespace": "admin", "to": "user:ann@example.test"}
NEVER_RIGHT = {  # what chance does not make: an existing call, a good archive, a revision before the first
    "GET /invocations/{invocation_id}",
    "DELETE /invocations/{invocation_id}",
    "GET /dead-letters/{invocation_id}",
    "DELETE /dead-letters/{invocation_id}",
    "POST /dead-letters/{invocation_id}/redrive",
    "POST /functions/{namespace}/{name}/rollback",
    # what is left of a first try, or is of no kind that may be deleted
    "POST /secrets/rotate-master",  # the tests hold their keys in memory
    "POST /users",
    "DELETE /users/{user}",
    "PUT /users/{user}",
    "DELETE /namespaces/{namespace}",
    "PUT /namespaces/{namespace}",
    "GET /tokens/{token_id}",
    "PUT /tokens/{token_id}",
    "DELETE /tokens/{token_id}",
}
CHANGES = {"POST /functions/register", "PUT /functions/{namespace}/{name}", "PATCH /functions/{namespace}/{name}"}
# 413: what is too long as well as wrong is not read
REFUSALS = {"checks": {"negative_data_rejection": {"expected-statuses": ["4xx"]}}}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]


async def execute(request: web.Request) -> web.Response:
    document = {"invocation_id": "i", "function": "admin/hello", "revision": 1, "status": "succeeded", "result": 1}
    times = {"created_at": "2026-01-01T00:00:00Z", "started_at": None, "finished_at": None, "duration_ms": None}
    return web.json_response(
        {**document, "error": None, "attempts": 1, **times, "not_before": None, "redrive_of": None}
    )


async def forget(_subject: str, _data: bytes) -> bytes:
    return encode(Purged(0))


class World:
    """API, bus, an invoker that answers and a manager that obliges, on a loop in a thread."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "i.sock"
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self.url = ""
        self.headers: dict[str, str] = {}
        self.client = httpx.Client(trust_env=False, timeout=30)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(20)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self.client.close()
        self._thread.join(20)
        self._loop.close()

    async def _run(self) -> None:
        self._ended = asyncio.Event()
        bus = MemoryBus()
        invoker = web.Application()
        invoker.router.add_post("/.ffx/execute", execute)
        runner = web.AppRunner(invoker)
        await runner.setup()
        await web.UnixSite(runner, str(self._socket)).start()
        identity = TestIdentity(bus)
        await identity.people.ensure_local_admin()
        await identity.people.provision(Identity(LOGIN, "ann", "ann@example.test", True, "Ann", (), "ffx-cli", 0.0))
        self.headers = {"Authorization": f"Bearer {identity.admin}"}
        app = create_app(bus, identity.api, invoker_socket=self._socket, readiness=ready)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, http="h11", ws="none"))
        serving = asyncio.create_task(server._serve())
        await eventually(lambda: server.started, "the API serves")
        port = server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        await bus.subscribe(PURGE_SUBJECT, forget)
        async with obliging_manager(bus):
            self._started.set()
            await self._ended.wait()
        server.should_exit = True
        await serving
        await runner.cleanup()
        await bus.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="ffx-oas-") as folder:
        made = World(Path(folder))
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_undocumented_and_no_5xx(world: World) -> None:
    schema = schemathesis.openapi.from_url(world.url + "/openapi.json", config=SchemathesisConfig.from_dict(REFUSALS))
    tried: set[str] = set()
    for found in schema.get_all_operations():
        operation = found.ok()
        seen: Counter[int] = Counter()
        try_operation(operation, GenerationMode.NEGATIVE, world, seen)
        try_operation(operation, GenerationMode.POSITIVE, world, seen)
        if operation.label not in NEVER_RIGHT and not any(200 <= status < 300 for status in seen):
            try_operation(operation, GenerationMode.POSITIVE, world, seen, MORE_EXAMPLES)
        tried.add(operation.label)
        print(operation.label, dict(seen))
        if operation.label not in NEVER_RIGHT:
            assert any(200 <= status < 300 for status in seen), f"{operation.label} was never right: {dict(seen)}"
    assert {"POST /functions/register", "PUT /functions/{namespace}/{name}/traffic", "GET /events"} <= tried
    assert len(tried) >= 20


def try_operation(
    operation: Any, mode: GenerationMode, world: World, seen: Counter[int], examples: int = EXAMPLES
) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def attempt(case: schemathesis.Case) -> None:
        shorten(case)
        if mode is GenerationMode.POSITIVE and "name" in case.path_parameters:
            world.client.post(world.url + "/functions/register", json=function(), headers=world.headers)  # or there
            case.path_parameters.update(namespace="admin", name="hello")
            if "revision" in case.path_parameters:
                case.path_parameters["revision"] = 1
        if mode is GenerationMode.POSITIVE:
            tame(case, operation.label)
            stock(case, world)
            case.path_parameters.update({name: value for name, value in THERE.items() if name in case.path_parameters})
        answer = case.call_and_validate(checks=CHECKS, headers=world.headers)
        seen[answer.status_code] += 1

    try:
        attempt()
    except Unsatisfiable:
        assert mode is GenerationMode.NEGATIVE, "some operations take nothing that could be wrong"


def stock(case: schemathesis.Case, world: World) -> None:
    """What reads and deletes of identity find."""
    for name, path, body in (
        ("group", "/groups/eng", {"members": []}),
        ("name", "/namespaces/admin/secrets/hello", {"value": "x"}),
        ("to", f"/namespaces/admin/bindings/{THERE['to']}", {"role": "invoker"}),
        ("to", f"/functions/admin/hello/grants/{THERE['to']}", {"verbs": ["read"]}),
    ):
        if name in case.path_parameters:
            world.client.put(world.url + path, json=body, headers=world.headers)


def shorten(case: schemathesis.Case) -> None:
    """Nothing that is asked for here may wait long."""
    case.query.pop("follow", None)
    wait_s = case.query.get("wait_s")
    if isinstance(wait_s, (int, float)) and 0 < wait_s <= 600:
        case.query["wait_s"] = 0.01


def tame(case: schemathesis.Case, label: str) -> None:
    """What is well-formed and yet refused, made acceptable: chance writes no archives and knows no feature that is to come."""
    if "function" in (case.query or {}):
        case.query["function"] = "hello"
    body = case.body
    if not isinstance(body, dict) or case.media_type == "multipart/form-data":
        return
    if label in CHANGES:
        for field in ("visibility", "secrets", "network", "scaling", "handler", "namespace"):
            body.pop(field, None)
        if label == "POST /functions/register":
            body["source"] = CODE
        else:
            body.pop("source", None)
            body.pop("name", None)
        if "runtime" in body:
            body["runtime"] = "python"
    elif label == "POST /functions/execute":
        for field in ("mode", "idempotency_key", "callback", "not_before", "priority", "order_key"):
            body.pop(field, None)
        body["function"] = "admin/hello"
    elif label.endswith("/traffic"):
        body.clear()
        body["1"] = 100


async def test_the_shipped_schema_is_the_one_that_is_checked() -> None:
    assert SCHEMA_FILE.read_text("utf-8") == text(), "run: python -m faasioflex.api.write_schema"
    validator = jsonschema.Draft202012Validator(function_schema())
    validator.check_schema(function_schema())
    assert validator.is_valid(function())
    assert not validator.is_valid(function(unknown=1))
    assert not validator.is_valid(function(env={"a-b": "x"}))
    assert not validator.is_valid({"name": "x"})
    assert json.loads(SCHEMA_FILE.read_text())["$id"].endswith("/schemas/function.json")
