import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await lifespan(scope, receive, send)
    elif scope["type"] == "websocket":
        await socket(scope, receive, send)
    else:
        await globals()[scope["path"].strip("/").replace("-", "_")](scope, receive, send)


async def lifespan(scope, receive, send):
    assert (await receive())["type"] == "lifespan.startup"
    scope["state"]["started"] = "yes"
    await send({"type": "lifespan.startup.complete"})
    assert (await receive())["type"] == "lifespan.shutdown"
    print("lifespan ended")
    await send({"type": "lifespan.shutdown.complete"})


async def answer(send, body, content_type="text/plain; charset=utf-8", status=200):
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def parts(receive):
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def hello(scope, receive, send):
    await answer(send, b"hello")


async def echo(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async for part in parts(receive):
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body"})


async def count(scope, receive, send):
    total = 0
    async for part in parts(receive):
        total += len(part)
    await answer(send, json.dumps({"bytes": total}).encode(), "application/json")


async def request(scope, receive, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    found = {
        "method": scope["method"],
        "path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": headers,
        "request_id": headers["x-request-id"],
        "root_path": scope["root_path"],
        "state": scope["state"],
    }
    await answer(send, json.dumps(found).encode(), "application/json")


async def fail(scope, receive, send):
    raise ValueError("the reason")


async def never():
    await asyncio.Event().wait()


async def sleep(scope, receive, send):
    print("asleep")
    await never()


async def spin(scope, receive, send):
    print("spinning")
    while True:
        pass


async def stuck(scope, receive, send):
    while True:
        with suppress(BaseException):
            await never()


async def log(scope, receive, send):
    print("one")
    print("two")
    print("three", file=sys.stderr)
    await answer(send, b"")


async def stream(scope, receive, send):
    try:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
        await never()
    finally:
        print("the stream was closed")


async def broken(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"first\n", "more_body": True})
    raise ValueError("the reason")


async def pieces(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(64):
        await send({"type": "http.response.body", "body": b"x" * 4096, "more_body": True})
    await send({"type": "http.response.body"})


async def environment(scope, receive, send):
    await answer(send, json.dumps(dict(os.environ)).encode(), "application/json")


async def given(scope, receive, send):
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    principal = None
    if "x-ffx-user" in headers:
        groups = [name for name in headers.get("x-ffx-groups", "").split(",") if name]
        principal = {"user": headers["x-ffx-user"], "groups": groups, "email": headers.get("x-ffx-email", "")}
    secret = Path(os.environ["FFX_SECRETS_DIR"], "db-password").read_text()
    found = {"secret": secret, "token": Path(os.environ["FFX_TOKEN_FILE"]).read_text(), "principal": principal}
    await answer(send, json.dumps(found).encode(), "application/json")


async def silent_start(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    await never()


async def half(scope, receive, send):
    headers = [(b"content-length", b"100")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"only this", "more_body": True})
    raise ValueError("the reason")


async def socket(scope, receive, send):
    assert (await receive())["type"] == "websocket.connect"
    if scope["path"] == "/refuse":
        await send({"type": "websocket.close"})
        return
    if scope["path"] == "/teapot":
        headers = [(b"content-type", b"text/plain")]
        await send({"type": "websocket.http.response.start", "status": 418, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"a teapot"})
        return
    if scope["path"] == "/never":
        await never()
    subprotocol = scope["subprotocols"][0] if scope["subprotocols"] else None
    await send({"type": "websocket.accept", "subprotocol": subprotocol, "headers": [(b"x-greeting", b"hi")]})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            print("disconnected", message["code"])
            return
        if message.get("text") == "close":
            await send({"type": "websocket.close", "code": 4001, "reason": "asked"})
            return
        if message.get("text") == "fail":
            raise ValueError("the reason")
        if message.get("text") is not None:
            await send({"type": "websocket.send", "text": message["text"].upper()})
        else:
            await send({"type": "websocket.send", "bytes": message["bytes"][::-1]})
