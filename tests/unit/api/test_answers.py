"""The status that answers carry, from what users wrote and the manager says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from faasioflex.api.resource.answer import etag, function_document, status_document
from faasioflex.api.resource.shapes import FunctionOut
from faasioflex.manager.functions.read import Seen
from faasioflex.model.function import Limits, ScaleRequest
from faasioflex.model.status import DesiredScale, FunctionStatus, RevisionStatus, ScaleDecision
from support.records import function_record

READY = RevisionStatus("ready", first_ready_at=1.0, ready_instances=2, build_s=3.0)
IDLE = RevisionStatus("idle", first_ready_at=1.0)
FAILED = RevisionStatus("failed", message="no module named x")


def of(revisions: dict[int, RevisionStatus], **fields: Any) -> dict[str, Any]:
    numbers = {n: f"a.b.{n}-x" for n in (1, 2, 3)}
    record = replace(function_record("a", "b", latest=3), **({"revisions": numbers, "rollouts": (1, 2, 3)} | fields))
    return status_document(record, FunctionStatus(record.uid, revisions))


def test_the_state_is_that_of_what_serves() -> None:
    for serving, state in ((READY, "ready"), (IDLE, "idle")):
        status = of({1: IDLE, 2: serving, 3: FAILED})
        assert (status["state"], status["revision"], status["traffic"]) == (state, 2, {"2": 100})
        assert status["latest"] == {"revision": 3, "state": "failed", "message": "no module named x"}
        assert status["message"] == "Revision 3: no module named x"


def test_while_nothing_serves_it_is_that_of_the_newest() -> None:
    assert (of({})["state"], of({})["message"], of({})["revision"]) == ("building", None, None)
    assert of({3: RevisionStatus("starting")})["state"] == "starting"
    assert (of({3: FAILED})["state"], of({3: FAILED})["message"]) == ("failed", "no module named x")


def test_a_split_counts_its_larger_part_and_all_instances() -> None:
    status = of({1: READY, 2: IDLE}, rollouts=(), split={1: 30, 2: 70})
    assert (status["state"], status["traffic"], status["ready_instances"]) == ("idle", {"1": 30, "2": 70}, 2)


def test_deleting_hides_everything_else() -> None:
    assert of({3: READY}, change="deleting")["state"] == "deleting"


def test_the_etag_is_over_what_users_set() -> None:
    record = function_record("a", "b")
    same = replace(record, updated_at=9.0, latest=7, scale=ScaleRequest(1, 2.0), split={1: 100}, change="updated")
    assert etag(same) == etag(record)
    others = [
        replace(record, uid="other"),
        replace(record, spec=replace(record.spec, description="x")),
        replace(record, spec=replace(record.spec, limits=Limits(cpu=1))),
        replace(record, source=replace(record.source, sha256="b" * 64)),
    ]
    assert len({etag(one) for one in (record, *others)}) == 5


def test_the_newest_decision_says_why_there_are_so_many() -> None:
    up = ScaleDecision(1, 5, "concurrency", 30.0, 7.0, "calls", "30 calls at once", 100.0)
    down = replace(up, before=5, to=0, signal="idle", at=200.0)
    record = function_record("a", "b")
    scale = DesiredScale(record.uid, {1: 5, 2: 0}, "", 200.0, {1: down, 2: up})
    status = status_document(record, None, "", scale)
    assert status["scale"] == {
        "revision": 1,
        "from": 5,
        "to": 0,
        "signal": "idle",
        "value": 30.0,
        "threshold": 7.0,
        "unit": "calls",
        "reason": "30 calls at once",
        "at": "1970-01-01T00:03:20.000Z",
    }
    assert status_document(record, None)["scale"] is None
    FunctionOut.model_validate(function_document(Seen(record, None, scale)), strict=True)


def test_the_document_has_the_published_shape() -> None:
    record = function_record("a", "b", env={"A": "1"}, labels={"x": "y"})
    for status in (None, FunctionStatus(record.uid, {1: READY})):
        FunctionOut.model_validate(function_document(Seen(record, status)), strict=True)
