import asyncio
import os
import sys


async def handle(event, context):
    return await globals()[event.path.strip("/").replace("-", "_")](event, context)


async def hello(event, context):
    await asyncio.sleep(0)
    return "hello"


async def echo(event, context):
    return event.body


async def count(event, context):
    return {"bytes": len(event.body)}


async def request(event, context):
    return {
        "method": event.method,
        "path": event.path,
        "query": event.query_string,
        "headers": dict(event.headers),
        "request_id": context.request_id,
    }


async def fail(event, context):
    raise ValueError("the reason")


async def never():
    await asyncio.Event().wait()


async def sleep(event, context):
    print("asleep")
    await never()


async def spin(event, context):
    print("spinning")
    while True:
        pass


async def stuck(event, context):
    while True:
        try:
            await never()
        except BaseException:  # noqa: S112
            continue


async def log(event, context):
    print("one")
    print("two")
    await asyncio.sleep(0)
    print("three", file=sys.stderr)


async def stream(event, context):
    async def parts():
        try:
            yield "first\n"
            await never()
        finally:
            print("the stream was closed")

    return parts()


async def broken(event, context):
    async def parts():
        yield "first\n"
        raise ValueError("the reason")

    return parts()


async def pieces(event, context):
    async def parts():
        for _ in range(64):
            yield b"x" * 4096

    return parts()


async def environment(event, context):
    return dict(os.environ)


async def given(event, context):
    secret = context.secret("db-password")
    return {"secret": secret, "token": context.token(), "principal": context.principal}
