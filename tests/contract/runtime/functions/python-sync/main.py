import os
import sys
import time


def handle(event, context):
    return globals()[event.path.strip("/").replace("-", "_")](event, context)


def hello(event, context):
    return "hello"


def echo(event, context):
    return event.body


def count(event, context):
    return {"bytes": len(event.body)}


def request(event, context):
    return {
        "method": event.method,
        "path": event.path,
        "query": event.query_string,
        "headers": dict(event.headers),
        "request_id": context.request_id,
    }


def fail(event, context):
    raise ValueError("the reason")


def sleep(event, context):
    print("asleep")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)


def spin(event, context):
    print("spinning")
    while True:
        pass


def stuck(event, context):
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: S112
            continue


def log(event, context):
    print("one")
    print("two")
    print("three", file=sys.stderr)


def stream(event, context):
    try:
        yield "first\n"
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)
    finally:
        print("the stream was closed")


def broken(event, context):
    yield "first\n"
    raise ValueError("the reason")


def pieces(event, context):
    for _ in range(64):
        yield b"x" * 4096


def environment(event, context):
    return dict(os.environ)


def given(event, context):
    secret = context.secret("db-password")
    return {"secret": secret, "token": context.token(), "principal": context.principal}
