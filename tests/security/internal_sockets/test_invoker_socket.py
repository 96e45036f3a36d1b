"""The invoker's socket believes nobody for being there: identity comes by a token, or with the gateway's proof."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from support.invoker_world import GATEWAY, PROOF, World, world

AS_ADMIN = {"x-ffx-pid": "u-local", "x-ffx-user": "u-local", "x-ffx-groups": "admins", "x-ffx-email": "admin@localhost"}
NAMED = {"x-ffx-namespace": "acme", "x-ffx-function": "secret", "x-ffx-revision": "1"}


@pytest.fixture
async def here() -> AsyncIterator[World]:
    async with world() as made:
        made.token = None
        await made.route("secret", await made.instance())
        await made.route("open", await made.instance(), visibility="public")
        yield made


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {"x-ffx-proof": ""},
        {"x-ffx-proof": "guess"},
        {"x-ffx-proof": PROOF[:-1]},
        {"x-ffx-proof": PROOF + "x"},
        {"x_ffx_proof": PROOF},
        {"ffx-proof": PROOF},
    ],
    ids=["none", "empty", "guess", "shorter", "longer", "underscores", "of answers"],
)
async def test_identity_headers_without_the_proof_mean_nothing(here: World, proof: dict[str, str]) -> None:
    problem = await here.problem("GET", "/f/acme/secret", headers={**AS_ADMIN, **proof})
    assert (problem["status"], problem["code"]) == (401, "not-authenticated")
    assert (await here.problem("GET", "/", headers={**AS_ADMIN, **NAMED, **proof}))["status"] == 404
    body = {"function": "acme/secret"}
    answered = await here.problem("POST", "/.ffx/execute", headers={**AS_ADMIN, **NAMED, **proof}, json=body)
    assert answered["status"] == 401
    assert (await here.call("GET", "/f/acme/open", headers={**AS_ADMIN, **NAMED, **proof}))[0] == 200
    secret, opened = here.instances
    assert secret.seen == []
    assert not [name for name in opened.seen[0].headers if name in {*AS_ADMIN, "x-ffx-proof", "x_ffx_proof"}]


async def test_the_proof_twice_is_none(here: World) -> None:
    fields = "".join(f"{name}: {value}\r\n" for name, value in (GATEWAY | NAMED).items())
    head = f"GET /x HTTP/1.1\r\nHost: x\r\n{fields}x-ffx-proof: {PROOF}\r\n\r\n"
    assert (await here.raw(head.encode())).startswith(b"HTTP/1.1 404 ")
    assert here.instances[0].seen == []


async def test_the_proof_reaches_no_instance(here: World) -> None:
    assert (await here.call("GET", "/", headers={**GATEWAY, **NAMED}))[0] == 200
    (seen,) = here.instances[0].seen
    assert PROOF not in str(seen.headers)
    assert seen.headers["x-ffx-user"] == "u-local"
    assert not {"x-ffx-pid", "x-ffx-jti", "x-ffx-proof"} & seen.headers.keys()


async def test_without_a_proof_of_its_own_it_believes_nobody() -> None:
    async with world(proof="") as here:
        here.token = None
        await here.route("secret", await here.instance())
        for proof in ("", PROOF):
            headers = {**GATEWAY, **NAMED, "x-ffx-proof": proof}
            assert (await here.problem("GET", "/f/acme/secret", headers=headers))["status"] == 401


@pytest.mark.parametrize("pid", ["u-nobody", "t-gone", "s-gone", "f-acme.gone", "x", "../u-local"])
async def test_a_proof_for_somebody_who_is_not_there_is_nobody(here: World, pid: str) -> None:
    headers = {**GATEWAY, **NAMED, "x-ffx-pid": pid, "x-ffx-user": pid}
    assert (await here.problem("GET", "/", headers=headers))["status"] == 401
