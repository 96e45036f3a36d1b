"""What a build says of code that cannot be served: a sentence with the place, last on stderr."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from faasioflex.cli.templates import write_template
from faasioflex.runtime.language import language
from support.go_functions import RUNTIME, build, compiled, go, go_environment
from support.runtime_instance import FUNCTIONS, run_check, run_instance

HEAD = 'package function\n\nimport (\n\t"context"\n\n\t"faasioflex.dev/faasioflex"\n)\n\n'
HANDLE = HEAD + "func Handle(ctx context.Context, event faasioflex.Event) (any, error) { return nil, nil }\n"


@pytest.fixture
def code(tmp_path):
    def write(source: str):
        (tmp_path / "go.mod").write_text("module example.com/shop\n\ngo 1.24\n")
        (tmp_path / "function.go").write_text(source)
        return tmp_path

    return write


async def test_the_check_of_what_is_right_says_nothing(code):
    folder = code(HANDLE)
    assert await run_check(language("go"), folder, deps=await asyncio.to_thread(compiled, folder)) == (0, "")


async def test_a_handler_of_another_type_is_told_with_the_wanted_one(code):
    folder = code("package function\n\nvar Handle = func(name string) string { return name }\n")
    exit_code, output = await run_check(language("go"), folder, deps=await asyncio.to_thread(compiled, folder))
    assert exit_code == 1
    assert output.splitlines()[-1].startswith(
        "Handle is a func(string) string: it must be func Handle(ctx context.Context, event faasioflex.Event) (any, error)"
    )


async def test_a_panic_while_packages_are_initialised_is_told_with_its_place(code):
    folder = code(HANDLE + 'func init() { panic("no database") }\n')
    exit_code, output = await run_check(language("go"), folder, deps=await asyncio.to_thread(compiled, folder))
    assert exit_code == 1
    assert output.splitlines()[-1] == "function.go:10: the packages cannot be initialised: panic: no database"


async def test_a_named_handler_is_served_and_no_other(code):
    folder = code(HANDLE.replace("Handle(", "Greet("))
    deps = await asyncio.to_thread(compiled, folder, "Greet")
    assert await run_check(language("go"), folder, handler="Greet", deps=deps) == (0, "")
    async with run_instance(language("go"), folder, handler="Handle", deps=deps, wait=False) as instance:
        assert await instance.ended() == 1
    assert instance.raw == ["this build serves Greet and not the handler Handle: build it again"]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("package main\n\nfunc main() {}\n", "function.go: the package is called main"),
        (
            "package function\n\nfunc Handle(event any) string { return nil }\n",
            "function.go:3: Handle has other parameters",
        ),
        (HANDLE.replace("nil, nil", "nope, nil"), "function.go:9:"),
    ],
)
async def test_what_cannot_be_compiled_is_told_with_its_place(code, tmp_path_factory, source, says):
    program = tmp_path_factory.mktemp("program") / "function"
    done = await asyncio.to_thread(build, code(source), None, program)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(says)


@pytest.mark.slow
def test_the_modules_own_tests_pass():
    for arguments in (["vet", "./..."], ["test", "./..."]):
        done = subprocess.run(
            [go().root / "bin/go", *arguments], cwd=RUNTIME / "faasioflex", env=go_environment(),
            check=False, capture_output=True, text=True, timeout=500,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def test_everything_is_formatted(tmp_path):
    write_template("go", tmp_path / "hello", "hello")
    folders = [RUNTIME / "faasioflex", tmp_path / "hello", *FUNCTIONS.glob("go-*")]
    done = subprocess.run([go().root / "bin/gofmt", "-l", *folders], check=True, capture_output=True, text=True)
    assert done.stdout == ""


def test_the_template_passes_its_own_test(tmp_path):
    write_template("go", tmp_path / "hello", "hello")
    environment = go_environment()
    del environment["GOWORK"]
    argv = [go().root / "bin/go", "test", "./..."]
    done = subprocess.run(
        argv, cwd=tmp_path / "hello", env=environment, check=False, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stdout + done.stderr
