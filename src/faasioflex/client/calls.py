"""Every call of the platform's API as a :class:`Request`: the one description that both clients send."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import IO, Any, TypeVar
from urllib.parse import quote

from faasioflex.client.models import (
    AlertList,
    CallbackKey,
    DeadLetter,
    DeadLetterPage,
    Function,
    Health,
    Invocation,
    Metrics,
    MetricsPage,
    Page,
    Redriven,
    Revision,
    Version,
)
from faasioflex.client.read import BadAnswer, read
from faasioflex.client.request import NDJSON, Request, Response, Upload
from faasioflex.model.names import FunctionName

T = TypeVar("T")
SLACK_S = 30.0  # on top of what the platform itself was told to wait


def register(document: Mapping[str, Any], archive: IO[bytes] | None, wait_s: float | None) -> Request[Function]:
    return _change("POST", "/functions/register", document, archive=archive, wait_s=wait_s)


def put(
    name: FunctionName,
    document: Mapping[str, Any],
    archive: IO[bytes] | None,
    wait_s: float | None,
    if_match: str | None,
) -> Request[Function]:
    return _change("PUT", _path(name), document, archive=archive, wait_s=wait_s, if_match=if_match)


def patch(
    name: FunctionName,
    document: Mapping[str, Any],
    archive: IO[bytes] | None,
    wait_s: float | None,
    if_match: str | None,
) -> Request[Function]:
    return _change("PATCH", _path(name), document, archive=archive, wait_s=wait_s, if_match=if_match)


def delete(name: FunctionName) -> Request[None]:
    return Request("DELETE", _path(name), _nothing, timeout_s=None)


def get(name: FunctionName) -> Request[Function]:
    return Request("GET", _path(name), _function)


def page(namespace: str | None, labels: Mapping[str, str], limit: int | None, cursor: str | None) -> Request[Page]:
    query = _query(namespace=namespace, limit=limit, cursor=cursor)
    if labels:
        query["label"] = [f"{key}={value}" for key, value in labels.items()]
    return Request("GET", "/functions", _as(Page), query=query)


def revisions(name: FunctionName) -> Request[tuple[Revision, ...]]:
    return Request("GET", f"{_path(name)}/revisions", _revisions)


def revision(name: FunctionName, number: int) -> Request[Revision]:
    return Request("GET", f"{_path(name)}/revisions/{number}", _as(Revision))


def traffic(name: FunctionName, shares: Mapping[int, int], wait_s: float | None) -> Request[Function]:
    document = {str(number): percent for number, percent in shares.items()}
    return _change("PUT", f"{_path(name)}/traffic", document, wait_s=wait_s)


def rollback(name: FunctionName, to: int | None, wait_s: float | None) -> Request[Function]:
    document = {} if to is None else {"revision": to}
    return _change("POST", f"{_path(name)}/rollback", document, wait_s=wait_s)


def scale(name: FunctionName, instances: int) -> Request[Function]:
    return Request("PUT", f"{_path(name)}/scale", _function, json={"instances": instances})


def purge_cache(name: FunctionName) -> Request[int]:
    return Request("DELETE", f"{_path(name)}/cache", _purged)


def execute(
    name: FunctionName, payload: Any, options: Mapping[str, Any], timeout_s: float | None
) -> Request[Invocation]:
    document = {"function": str(name), "payload": payload, **options}
    if timeout_s is not None:
        document["timeout_s"] = timeout_s
    wait_s = None if timeout_s is None else timeout_s + SLACK_S
    keyed = options.get("idempotency_key") is not None
    return Request("POST", "/functions/execute", _as(Invocation), json=document, timeout_s=wait_s, keyed=keyed)


def invocation(invocation_id: str, wait_s: float | None) -> Request[Invocation]:
    path = f"/invocations/{quote(invocation_id, safe='')}"
    return Request("GET", path, _as(Invocation), query=_query(wait_s=wait_s), timeout_s=_patience(wait_s))


def cancel(invocation_id: str) -> Request[Invocation]:
    return Request("DELETE", f"/invocations/{quote(invocation_id, safe='')}", _as(Invocation))


def dead_letters(function: FunctionName | None, limit: int | None, cursor: str | None) -> Request[DeadLetterPage]:
    query = _query(function=function, limit=limit, cursor=cursor)
    return Request("GET", "/dead-letters", _as(DeadLetterPage), query=query)


def dead_letter(invocation_id: str) -> Request[DeadLetter]:
    return Request("GET", f"/dead-letters/{quote(invocation_id, safe='')}", _as(DeadLetter))


def redrive(invocation_id: str) -> Request[Invocation]:
    return Request("POST", f"/dead-letters/{quote(invocation_id, safe='')}/redrive", _as(Invocation))


def redrive_all(function: FunctionName) -> Request[Redriven]:
    query = _query(function=function)
    return Request("POST", "/dead-letters/redrive", _as(Redriven), query=query, timeout_s=None)


def delete_dead_letter(invocation_id: str) -> Request[None]:
    return Request("DELETE", f"/dead-letters/{quote(invocation_id, safe='')}", _nothing)


def purge(function: FunctionName) -> Request[int]:
    return Request("DELETE", "/dead-letters", _purged, query=_query(function=function), timeout_s=None)


def callback_key(namespace: str) -> Request[CallbackKey]:
    return Request("GET", f"/namespaces/{quote(namespace, safe='')}/callback-key", _as(CallbackKey))


def metrics(name: FunctionName, window_s: float | None) -> Request[Metrics]:
    return Request("GET", f"{_path(name)}/metrics", _as(Metrics), query=_query(window_s=window_s))


def alerts(namespace: str | None) -> Request[AlertList]:
    return Request("GET", "/alerts", _as(AlertList), query=_query(namespace=namespace))


def platform_metrics(window_s: float | None) -> Request[Metrics]:
    return Request("GET", "/platform/metrics", _as(Metrics), query=_query(window_s=window_s))


def metrics_page(
    namespace: str | None, window_s: float | None, cursor: str | None, *, active: bool = False
) -> Request[MetricsPage]:
    chosen = "true" if active else None
    query = _query(namespace=namespace, window_s=window_s, limit=1000, cursor=cursor, active=chosen)
    return Request("GET", "/functions/metrics", _as(MetricsPage), query=query)


def logs(
    name: FunctionName, *, build: bool, follow: bool, since: str | None, revision: int | None, tail: int | None
) -> Request[None]:
    query = _query(follow="true" if follow else None, since=since, revision=revision, tail=tail)
    return _lines(f"{_path(name)}/{'build-log' if build else 'logs'}", query, follow)


def events(*, follow: bool, since: str | None, tail: int | None) -> Request[None]:
    query = _query(follow="true" if follow else None, since=since, tail=tail)
    return _lines("/events", query, follow)


def health(path: str) -> Request[Health]:
    return Request("GET", path, _health, timeout_s=5.0, accept=frozenset({503}))


def version() -> Request[Version]:
    return Request("GET", "/version", _as(Version), timeout_s=5.0)


def direct(
    name: FunctionName,
    path: str,
    *,
    method: str,
    headers: Mapping[str, str],
    content: bytes | None,
    timeout_s: float | None,
) -> Request[None]:
    """A call that Envoy takes straight to an instance; ``path`` (with its query) is escaped by the caller."""
    if path and path[0] not in "/?":
        path = f"/{path}"
    sent = {"Accept-Encoding": "identity", **headers}  # the body is passed on byte for byte
    where = f"/f/{name.namespace}/{name.name}{path}"
    return Request(method.upper(), where, _nothing, headers=sent, content=content, timeout_s=timeout_s)


def _path(name: FunctionName) -> str:
    return f"/functions/{name.namespace}/{name.name}"


def _change(
    method: str,
    path: str,
    document: Mapping[str, Any],
    *,
    wait_s: float | None,
    archive: IO[bytes] | None = None,
    if_match: str | None = None,
) -> Request[Function]:
    headers = {"If-Match": if_match} if if_match else {}
    query, timeout_s = _query(wait_s=wait_s), _patience(wait_s)
    if archive is not None:
        upload = Upload(document, archive)
        return Request(method, path, _function, query=query, headers=headers, upload=upload, timeout_s=timeout_s)
    if method == "PATCH":
        headers["Content-Type"] = "application/merge-patch+json"
    return Request(method, path, _function, query=query, headers=headers, json=document, timeout_s=timeout_s)


def _lines(path: str, query: dict[str, str | list[str]], follow: bool) -> Request[None]:
    # what follows is silent for as long as nothing happens
    return Request("GET", path, _nothing, query=query, headers={"Accept": NDJSON}, timeout_s=None if follow else 30.0)


def _query(**values: Any) -> dict[str, str | list[str]]:
    return {
        key: f"{value:g}" if isinstance(value, float) else str(value)
        for key, value in values.items()
        if value is not None
    }


def _patience(wait_s: float | None) -> float:
    return SLACK_S + (wait_s or 0.0)


def _as(kind: type[T]) -> Any:
    return lambda response: read(kind, response.json())


def _purged(response: Response) -> int:
    document = response.json()
    if not isinstance(document, dict) or not isinstance(document.get("purged"), int):
        raise BadAnswer("/purged is missing from the answer")
    return int(document["purged"])


def _nothing(response: Response) -> None:
    return None


def _function(response: Response) -> Function:
    return dataclasses.replace(read(Function, response.json()), etag=response.headers.get("etag"))


def _revisions(response: Response) -> tuple[Revision, ...]:
    document = response.json()
    items = document.get("items") if isinstance(document, dict) else document
    if not isinstance(items, list):
        raise BadAnswer("/items is missing from the answer")
    return tuple(read(Revision, item) for item in items)


def _health(response: Response) -> Health:
    document = response.json()
    return Health(response.status < 400, document if isinstance(document, dict) else {"answer": document})
