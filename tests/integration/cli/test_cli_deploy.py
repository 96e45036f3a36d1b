"""``ffx deploy`` against the real API and function manager."""

from __future__ import annotations

import json
from pathlib import Path

from support.ffx_command import Ffx
from support.small_platform import SmallPlatform


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_new_function_is_built_started_and_shown_with_its_address(ffx: Ffx, platform: SmallPlatform) -> None:
    ffx("new", "hello")
    done = ffx("deploy", "hello")
    assert done.code == 0
    assert done.err.splitlines() == ["Creating admin/hello: revision 1", "building"]
    assert done.out.splitlines() == [
        "admin/hello is ready: revision 1",
        f"URL:      {platform.url}/f/admin/hello",
        'Call it:  ffx invoke admin/hello -d \'{"name": "Ada"}\'',
    ]


def test_the_same_folder_again_is_unchanged(hello: Ffx, platform: SmallPlatform) -> None:
    done = hello("deploy", "hello")
    assert done.code == 0
    assert done.out.startswith("Nothing changed: admin/hello stays at revision 1, ready")
    assert platform.builder.builds == [1]


def test_changed_code_is_a_new_revision_and_a_changed_label_is_not(hello: Ffx) -> None:
    _edit(Path("hello/function.yaml"), "description: Greets", "labels: {team: web}\ndescription: Greets")
    assert hello("deploy", "hello").out.startswith("admin/hello is changed in place: revision 1")
    _edit(Path("hello/main.py"), "!", "?")
    assert hello("deploy", "hello").out.startswith("admin/hello is ready: revision 2")
    assert json.loads(hello("get", "hello", "-o", "json").out)["labels"] == {"team": "web"}


def test_what_the_manifest_no_longer_says_goes_back_to_its_default(hello: Ffx) -> None:
    _edit(Path("hello/function.yaml"), "env:\n  GREETING: Hello\n", "")
    hello("deploy", "hello", "--env", "A=1", "--memory", "256M", "--min", "1")
    function = json.loads(hello("get", "hello", "-o", "json").out)
    assert function["env"] == {"A": "1"}
    assert (function["limits"]["memory_bytes"], function["scaling"]["min_instances"]) == (256 << 20, 1)


def test_flags_without_a_manifest_change_only_what_they_name(hello: Ffx) -> None:
    Path("hello/function.yaml").unlink()
    assert hello("deploy", "hello", "--timeout", "5s").code == 0
    function = json.loads(hello("get", "hello", "-o", "json").out)
    assert function["limits"]["timeout_s"] == 5
    assert function["env"] == {"GREETING": "Hello"}


def test_a_function_that_is_there_keeps_its_runtime_where_no_file_says_one(hello: Ffx) -> None:
    Path("hello/function.yaml").unlink()
    Path("hello/main.py").rename("hello/greeting.py")
    assert hello("deploy", "hello", "--handler", "greeting:handle").code == 0
    function = json.loads(hello("get", "hello", "-o", "json").out)
    assert (function["runtime"], function["handler"]) == ("python", "greeting:handle")
    new = hello("deploy", "hello", "--name", "other")
    assert (new.code, "which runtime is hello for?" in new.err) == (1, True)


def test_a_failed_build_is_1_with_the_tools_last_lines_and_the_old_revision_serves(
    hello: Ffx, platform: SmallPlatform
) -> None:
    platform.builder.broken.add(2)
    _edit(Path("hello/main.py"), "!", "?")
    done = hello("deploy", "hello")
    assert done.code == 1
    said = ["Updating admin/hello: revision 2", "building", "main.py:1: there is no handle"]
    assert done.err.splitlines()[:4] == [*said, "Error: check failed (exit code 1): main.py:1: there is no handle"]
    assert "code: build-failed" in done.err
    function = json.loads(hello("get", "hello", "-o", "json").out)
    assert (function["status"]["state"], function["status"]["traffic"]) == ("ready", {"1": 100})
    again = hello("deploy", "hello")
    assert (again.code, again.out.splitlines()[0]) == (0, "admin/hello is ready: revision 3")


def test_a_revision_that_does_not_start_is_1(hello: Ffx, platform: SmallPlatform) -> None:
    platform.driver.script = lambda _spec: "exit code 3"
    _edit(Path("hello/main.py"), "!", "?")
    done = hello("deploy", "hello", "--wait-for", "20s")
    assert done.code == 1
    assert "code: start-failed" in done.err


def test_waiting_ends(hello: Ffx, platform: SmallPlatform) -> None:
    platform.builder.gate.clear()
    _edit(Path("hello/main.py"), "!", "?")
    done = hello("deploy", "hello", "--wait-for", "300ms")
    assert done.code == 1
    assert "code: deadline-exceeded" in done.err
    platform.run(_set(platform))


async def _set(platform: SmallPlatform) -> None:
    platform.builder.gate.set()


def test_without_waiting_it_returns_while_it_builds(ffx: Ffx, platform: SmallPlatform) -> None:
    platform.builder.gate.clear()
    ffx("new", "hello")
    done = ffx("deploy", "hello", "--no-wait")
    assert (done.code, done.out.splitlines()[0]) == (0, "admin/hello is building: revision 1")
    platform.run(_set(platform))


def test_a_canary_is_started_and_gets_no_calls(hello: Ffx) -> None:
    _edit(Path("hello/main.py"), "!", "?")
    done = hello("deploy", "hello", "--no-traffic")
    assert done.code == 0
    note = "Note: revision 2 serves nobody. It gets no calls yet; 'ffx traffic admin/hello 2=100' sends them."
    assert done.err.splitlines()[-1] == note
    again = hello("deploy", "hello")
    assert (again.code, again.out.splitlines()[0]) == (0, "Nothing changed: admin/hello stays at revision 2, ready")
    assert again.err.splitlines() == [note]
    assert hello("traffic", "hello", "1=90", "2=10").out == "admin/hello: 1=90 2=10\n"
    assert json.loads(hello("traffic", "hello", "-o", "json").out) == {"1": 90, "2": 10}


def test_code_that_was_rolled_back_is_not_served_again_and_that_is_noted_in_every_format(hello: Ffx) -> None:
    _edit(Path("hello/main.py"), "!", "?")
    assert "Note:" not in hello("deploy", "hello").err
    assert hello("rollback", "hello").code == 0
    done = hello("deploy", "hello", "-o", "json")
    assert json.loads(done.out)["status"]["traffic"] == {"1": 100}
    assert "Note: revision 2 serves nobody." in done.err
    assert "'ffx traffic admin/hello 2=100'" in done.err


def test_what_the_api_refuses_is_1_with_the_field(ffx: Ffx) -> None:
    ffx("new", "hello")
    done = ffx("deploy", "hello", "--memory", "1K")
    assert done.code == 1
    assert "/limits/memory_bytes" in done.err
    assert "code: invalid" in done.err


def test_an_image_is_refused_for_now(ffx: Ffx) -> None:
    done = ffx("deploy", "--name", "web", "--image", "nginx:1")
    assert done.code == 1
    assert "code: not-supported-yet" in done.err


def test_a_field_that_does_not_exist_is_refused_here(ffx: Ffx) -> None:
    ffx("new", "hello")
    _edit(Path("hello/function.yaml"), "limits:", "limts:")
    done = ffx("deploy", "hello")
    assert done.code == 1
    assert "/limts: there is no such field: did you mean 'limits'?" in done.err


def test_the_folder_may_be_the_present_one_and_the_name_said(ffx: Ffx, monkeypatch: object) -> None:
    Path("main.py").write_text("def handle(event, context):\n    return {}\n")
    done = ffx("deploy", "--name", "team/tool", "-o", "json")
    assert done.code == 0
    function = json.loads(done.out)
    assert (function["namespace"], function["name"], function["runtime"]) == ("team", "tool", "python")
