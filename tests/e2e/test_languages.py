"""Functions in Python, Node and Go beside each other on one platform, with a package each, from registration to answer."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.platform_process import Platform, processes_with, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # a new machine fetches toolchains and compiles Go's library
WITHIN_S = 600

PYTHON = {
    "requirements.txt": "humanize==4.9.0\n",
    "main.py": "import humanize\n\ndef handle(event, context):\n    return humanize.intcomma(event.json())\n",
}
NODE = {
    "package.json": '{"type": "module", "dependencies": {"ms": "2.1.3"}}',
    "index.ts": "import ms from 'ms';\n\nexport const handle = (event: any): string => ms(event.json() as number);\n",
}
GO = {
    "go.mod": "module example.com/ids\n\ngo 1.24\n\nrequire github.com/google/uuid v1.6.0\n",
    "ids.go": """package function

import (
	"context"

	"faasioflex.dev/faasioflex"
	"github.com/google/uuid"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) {
	return uuid.NewSHA1(uuid.NameSpaceDNS, event.Body).String(), nil
}
""",
}


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    folder = Path(tempfile.mkdtemp(prefix="ffx"))
    found = Platform(folder / "d")
    try:
        found.start()
        wait_for(found.ready, 60, "ready")
        yield found
    finally:
        found.end()
    assert processes_with(found.data) == {}
    shutil.rmtree(folder, ignore_errors=True)


def register(platform: Platform, name: str, runtime: str, files: dict[str, str], **more: Any) -> dict[str, Any]:
    body = {"name": name, "runtime": runtime, "source": {"files": files}, **more}
    answer = httpx.post(
        f"{platform.url}/functions/register?wait_s={WITHIN_S}", json=body, timeout=WITHIN_S + 30, auth=platform.auth
    )
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()["status"]
    return made


def call(platform: Platform, name: str, body: str) -> str:
    answer = httpx.post(f"{platform.url}/f/admin/{name}", content=body, timeout=60, auth=platform.auth)
    assert answer.status_code == 200, answer.text
    return answer.text


def log_of(platform: Platform, name: str) -> list[str]:
    answer = httpx.get(f"{platform.url}/functions/admin/{name}/build-log", timeout=30, auth=platform.auth)
    return [json.loads(line)["message"] for line in answer.text.splitlines()]


@pytest.mark.parametrize(
    ("runtime", "files", "sent", "expected"),
    [
        ("python", PYTHON, "1234567", "1,234,567"),
        ("node", NODE, "172800000", "2d"),
        ("go", GO, "python.org", "886313e1-3b8a-5372-9b90-0c9aee199e5d"),
    ],
)
def test_a_function_with_a_package(
    platform: Platform, runtime: str, files: dict[str, str], sent: str, expected: str
) -> None:
    status = register(platform, f"first-{runtime}", runtime, files)
    assert (status["state"], status["message"]) == ("ready", None)
    assert call(platform, f"first-{runtime}", sent) == expected
    again = register(platform, f"second-{runtime}", runtime, files)
    assert again["state"] == "ready"
    assert call(platform, f"second-{runtime}", sent) == expected
    assert log_of(platform, f"first-{runtime}")[-1] == "== built"
    assert log_of(platform, f"second-{runtime}") == []  # the same code is built once


def test_a_mistake_in_go_is_told_with_its_line(platform: Platform) -> None:
    wrong = GO["ids.go"].replace("uuid.NameSpaceDNS", "uuid.Nowhere")
    status = register(platform, "wrong", "go", {**GO, "ids.go": wrong})
    assert status["state"] == "failed"
    assert status["latest"]["message"].startswith("ids.go:11:27: undefined: uuid.Nowhere")
