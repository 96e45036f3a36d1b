import json
import os
import sys
import time
from pathlib import Path


def app(environ, start_response):
    return globals()[environ["PATH_INFO"].strip("/").replace("-", "_")](environ, start_response)


def answer(start_response, body, content_type="text/plain; charset=utf-8"):
    start_response("200 OK", [("Content-Type", content_type), ("Content-Length", str(len(body)))])
    return [body]


def hello(environ, start_response):
    return answer(start_response, b"hello")


def echo(environ, start_response):
    start_response("200 OK", [])
    return iter(lambda: environ["wsgi.input"].read(8192), b"")


def count(environ, start_response):
    total = 0
    while part := environ["wsgi.input"].read(8192):
        total += len(part)
    return answer(start_response, json.dumps({"bytes": total}).encode(), "application/json")


def request(environ, start_response):
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    found = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["RAW_URI"],
        "query": environ["QUERY_STRING"],
        "headers": headers,
        "request_id": headers["x-request-id"],
        "root_path": environ["SCRIPT_NAME"],
    }
    return answer(start_response, json.dumps(found).encode(), "application/json")


def fail(environ, start_response):
    raise ValueError("the reason")


def sleep(environ, start_response):
    print("asleep")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(0.01)


def spin(environ, start_response):
    print("spinning")
    while True:
        pass


def stuck(environ, start_response):
    while True:
        try:
            while True:
                pass
        except BaseException:  # noqa: S112
            continue


def log(environ, start_response):
    print("one")
    print("two")
    print("three", file=sys.stderr)
    return answer(start_response, b"")


def stream(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def parts():
        try:
            yield b"first\n"
            end = time.monotonic() + 60
            while time.monotonic() < end:
                time.sleep(0.01)
        finally:
            print("the stream was closed")

    return parts()


def broken(environ, start_response):
    start_response("200 OK", [])

    def parts():
        yield b"first\n"
        raise ValueError("the reason")

    return parts()


def pieces(environ, start_response):
    start_response("200 OK", [])
    return (b"x" * 4096 for _ in range(64))


def environment(environ, start_response):
    return answer(start_response, json.dumps(dict(os.environ)).encode(), "application/json")


def given(environ, start_response):
    principal = None
    if environ.get("HTTP_X_FFX_USER"):
        groups = [name for name in environ.get("HTTP_X_FFX_GROUPS", "").split(",") if name]
        principal = {"user": environ["HTTP_X_FFX_USER"], "groups": groups, "email": environ.get("HTTP_X_FFX_EMAIL", "")}
    secret = Path(os.environ["FFX_SECRETS_DIR"], "db-password").read_text()
    found = {"secret": secret, "token": Path(os.environ["FFX_TOKEN_FILE"]).read_text(), "principal": principal}
    return answer(start_response, json.dumps(found).encode(), "application/json")
