"""What a Node handler is told of its call."""

from __future__ import annotations

CODE = """
const PATHS = {
  query: (event) => event.query,
  headers: (event) => [event.headers['X-One'], event.headers.get('x-ONE'), event.headers.all('x-one'), 'x-one' in event.headers,
    event.headers['x-ffx-principal'] ?? null, Object.keys(event.headers).includes('x-one')],
  text: (event) => event.text(),
  json: (event) => ({ found: event.json() }),
  cloudevent: (event) => event.cloudevent,
  context: ({}, context) => ({ ...context, left: context.remaining_s(), aborted: context.signal.aborted }),
  secret: (_, context) => context.secret('../x'),
  token: (_, context) => context.token(),
  log: (_, context) => context.log.info('of %s', 'call'),
};
export const handle = (event, context) => PATHS[event.path.slice(1)](event, context);
"""


async def test_query_and_headers(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        assert (await client.get("/query?a=1&b=%20x&a=2&c")).json() == {"a": ["1", "2"], "b": [" x"], "c": [""]}
        found = (
            await client.get("/headers", headers=[("x-one", "1"), ("X-One", "2"), ("x-ffx-principal", "me")])
        ).json()
    assert found == ["1, 2", "1, 2", ["1", "2"], True, None, True]


async def test_bodies(run):
    instance = await run({"index.mjs": CODE})
    async with instance.client() as client:
        latin = {"content-type": "text/plain; charset=iso-8859-1"}
        assert (await client.post("/text", content=b"\xfc", headers=latin)).text == "ü"
        assert (await client.post("/text", content=b"\xfc")).status_code == 400
        assert (await client.post("/json", content=b'{"a": 1}')).json() == {"found": {"a": 1}}
        assert (await client.post("/json", content=b'\xef\xbb\xbf{"a": 1}')).json() == {"found": {"a": 1}}
        assert (await client.post("/json")).json() == {"found": None}
        broken = await client.post("/json", content=b"{", headers={"content-type": "application/json"})
        assert (broken.status_code, broken.json()["code"]) == (400, "bad-request")
        assert "not JSON" in broken.json()["detail"]


async def test_cloud_events(run):
    instance = await run({"index.mjs": CODE})
    binary = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t", "ce-more": "%20m"}
    structured = {"content-type": "application/cloudevents+json"}
    document = b'{"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": [1]}'
    async with instance.client() as client:
        found = (await client.post("/cloudevent", headers=binary, json={"a": 1})).json()
        assert (found["id"], found["data"], found["extensions"]) == ("1", {"a": 1}, {"more": " m"})
        found = (await client.post("/cloudevent", headers=structured, content=document)).json()
        assert (found["type"], found["data"], found["subject"]) == ("t", [1], None)
        found = (await client.post("/cloudevent", headers=structured, content=b"\xef\xbb\xbf" + document)).json()
        assert found["data"] == [1]
        assert (await client.get("/cloudevent")).status_code == 204
        broken = await client.post("/cloudevent", headers=structured, content=b'{"id": "1"}')
        assert (broken.status_code, "specversion" in broken.json()["detail"]) == (400, True)


async def test_the_context(run):
    instance = await run({"index.mjs": CODE}, timeout_s=20)
    async with instance.client(
        headers={"x-request-id": "r-1", "x-ffx-user": "u-ada", "x-ffx-groups": "eng,ops"}
    ) as client:
        found = (await client.get("/context")).json()
        assert 0 < found.pop("left") <= 20
        assert found.pop("deadline") > 0
        assert found == {
            "request_id": "r-1",
            "namespace": "acme",
            "function": "hello",
            "revision": 7,
            "principal": {"user": "u-ada", "groups": ["eng", "ops"], "email": ""},
            "traceparent": None,
            "aborted": False,
        }
        assert (await client.get("/secret")).status_code == 500
        await instance.logged('the function has no secret "../x"', "r-1")
        assert (await client.get("/token")).status_code == 500
        assert (await client.get("/log")).status_code == 204
        await instance.logged("INFO of call", "r-1")
