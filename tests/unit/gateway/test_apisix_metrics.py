"""Calls and load out of APISIX's Prometheus page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from faasioflex.gateway.apisix.exposition import Blind, parse
from faasioflex.gateway.apisix.metrics import Metrics
from faasioflex.gateway.apisix.settings import ApisixSettings
from faasioflex.model.durations import bucket_of
from faasioflex.model.names import FunctionName

NAMES = {"ffx-f-acme.hello": FunctionName("acme", "hello")}


def page(*, ok: int, failed: int = 0, slow: int = 0, consumer: str = "3", route: str = "ffx-f-acme.hello") -> str:
    """``ok`` of 3 ms each, ``failed`` too, ``slow`` of them all 400 ms."""
    status = f'route="{route}",matched_uri="/f/acme/hello/*",matched_host="",service="ffx-functions",consumer="{consumer}",node="10.0.0.1"'
    latency = f'type="request",route="{route}",service="ffx-functions",consumer="{consumer}",node="10.0.0.1"'
    both = ok + failed
    return f"""# HELP apisix_http_status HTTP status codes per service in APISIX
# TYPE apisix_http_status counter
apisix_http_status{{code="200",{status},request_type="traditional_http",response_source="upstream"}} {ok}
apisix_http_status{{code="502",{status},request_type="traditional_http",response_source="nginx"}} {failed}
apisix_http_status{{code="429",{status.replace(f'consumer="{consumer}"', 'consumer=""')},response_source="apisix"}} 7
apisix_http_status{{code="200",route="theirs",consumer="jack \\"x\\"",node="10.0.0.9"}} 99
apisix_http_latency_bucket{{{latency},le="2"}} 0
apisix_http_latency_bucket{{{latency},le="5"}} {both - slow}
apisix_http_latency_bucket{{{latency},le="500"}} {both}
apisix_http_latency_bucket{{{latency},le="+Inf"}} {both}
apisix_http_latency_bucket{{{latency.replace("request", "upstream")},le="+Inf"}} {both}
apisix_http_latency_sum{{{latency}}} {(both - slow) * 3 + slow * 400}
apisix_http_latency_count{{{latency}}} {both}
"""


class Exporter:
    """``metrics`` looks at ``text``; ``now`` is its clock."""

    def __init__(self) -> None:
        self.text: str | None = page(ok=0)
        self.now = 0.0
        settings = ApisixSettings("http://a", Path("k"), "a:1", "i:1", "http://d", "http://a/metrics")
        self.metrics = Metrics(settings, NAMES, lambda: self.now)
        self.metrics._client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    async def look(self, text: str | None, after_s: float = 1.0) -> None:
        self.text = text
        self.now += after_s
        await self.metrics.look()

    def _answer(self, _: httpx.Request) -> httpx.Response:
        return httpx.Response(503) if self.text is None else httpx.Response(200, text=self.text)


@pytest.fixture
async def exporter() -> AsyncIterator[Exporter]:
    made = Exporter()
    yield made
    await made.metrics.close()


async def test_calls_since_the_question_before(exporter: Exporter) -> None:
    assert exporter.metrics.calls() is None
    await exporter.look(page(ok=5))
    assert exporter.metrics.calls() == ()
    await exporter.look(page(ok=15, failed=2, slow=1))
    (got,) = exporter.metrics.calls() or ()
    assert (got.namespace, got.name, got.revision) == ("acme", "hello", 3)
    assert (got.answered, got.errors, got.classes) == (12, 2, {2: 10, 5: 2})
    assert got.durations == {bucket_of(3.5): 11, bucket_of(252.5): 1}
    assert got.duration_sum_ms == 11 * 3 + 400
    assert exporter.metrics.calls() == ()


async def test_counters_that_begin_again_count_whole(exporter: Exporter) -> None:
    await exporter.look(page(ok=100))
    exporter.metrics.calls()
    await exporter.look(page(ok=4))
    assert [each.answered for each in exporter.metrics.calls() or ()] == [4]


async def test_load_is_the_average_of_what_ended_and_blind_is_not_idle(exporter: Exporter) -> None:
    assert exporter.metrics.loads() is None
    await exporter.look(page(ok=0))
    await exporter.look(page(ok=0))
    assert [(each.in_progress, each.issued) for each in exporter.metrics.loads() or ()] == []
    await exporter.look(page(ok=50, slow=50), after_s=9.0)  # 20 s of calls in 10 s
    assert [(each.in_progress, each.issued) for each in exporter.metrics.loads() or ()] == [(2, 50)]
    await exporter.look(page(ok=50, slow=50), after_s=21.0)
    await exporter.look(page(ok=50, slow=50), after_s=1.0)
    assert [(each.in_progress, each.issued) for each in exporter.metrics.loads() or ()] == []
    assert exporter.metrics.loads() == ()
    await exporter.look(None)
    assert exporter.metrics.loads() is None
    assert exporter.metrics.calls() is None


async def test_calls_that_the_invoker_took_over_are_told_here_and_their_load_there(exporter: Exporter) -> None:
    await exporter.look(page(ok=0) + page(ok=0, consumer="3-invoker"))
    exporter.metrics.calls()
    await exporter.look(page(ok=0) + page(ok=0, consumer="3-invoker"))
    exporter.metrics.loads()
    await exporter.look(page(ok=5) + page(ok=2, failed=1, consumer="3-invoker"))
    assert [(each.answered, each.errors, each.classes) for each in exporter.metrics.calls() or ()] == [
        (8, 1, {2: 7, 5: 1})
    ]
    assert [each.issued for each in exporter.metrics.loads() or ()] == [5]


async def test_a_page_that_hides_the_revision_is_blind(exporter: Exporter) -> None:
    hidden = page(ok=5, consumer="")
    with pytest.raises(Blind, match="label consumer"):
        parse(hidden, NAMES)
    await exporter.look(page(ok=5))
    await exporter.look(hidden)
    assert exporter.metrics.calls() is None


async def test_what_is_not_ours_is_not_counted() -> None:
    assert set(parse(page(ok=5), NAMES)) == {("ffx-f-acme.hello", 3, False)}
    assert parse(page(ok=5, route="theirs"), NAMES) == {}
