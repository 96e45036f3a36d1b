"""Go functions: modules fetched by hash, compiled offline to one program, mistakes told where they are."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from faasioflex.manager.builder.jobs import BuildLimits, StepLimits
from support.building import Building

pytestmark = pytest.mark.timeout(900)  # the first test on a machine fetches Go and compiles its library
PLAIN = """package function

import (
	"context"

	"faasioflex.dev/faasioflex"
)

func Handle(ctx context.Context, event faasioflex.Event) (any, error) { return "x", nil }
"""
IDS = PLAIN.replace(")\n\nfunc", '\t"github.com/google/uuid"\n)\n\nfunc').replace('"x"', "uuid.NewString()")
MODULE = "module example.com/ids\n\nrequire github.com/google/uuid v1.6.0\n"
SUMS = """github.com/google/uuid v1.6.0 h1:NIvaJDMOsjHA8n1jAhLSgzrAzy1Hgr+hNrb57e+94F0=
github.com/google/uuid v1.6.0/go.mod h1:TIyPZe4MgqvfeYDBFedMoGGpEw/LqOeaOT+nhxU+yHo=
"""


@pytest.fixture(autouse=True)
def time_enough(building: Building) -> None:
    building.builder = building.another(BuildLimits(StepLimits()))


async def test_one_static_program_is_all_that_is_left(building: Building) -> None:
    built = await building.build({"function.go": PLAIN}, runtime="go")
    assert built.deps is not None
    assert [path.name for path in built.deps.iterdir()] == ["function"]
    program = (built.deps / "function").read_bytes()
    assert program.startswith(b"\x7fELF")
    assert b"/lib64/ld-linux" not in program[:4096]
    assert str(building.folder).encode() not in program
    done = await asyncio.to_thread(subprocess.run, [built.deps / "function", "--check"], env={}, check=False)
    assert done.returncode == 0


async def test_a_module_with_sums_without_and_with_wrong_ones(building: Building) -> None:
    await building.build({"ids.go": IDS, "go.mod": MODULE}, runtime="go")
    await building.build({"ids.go": IDS, "go.mod": MODULE, "go.sum": SUMS}, runtime="go")
    fetches = building.lines.count("== fetch modules")
    await building.build({"ids.go": f"{IDS}// changed\n", "go.mod": MODULE, "go.sum": SUMS}, runtime="go")
    assert building.lines.count("== fetch modules") == fetches == 2
    wrong = {"ids.go": IDS, "go.mod": MODULE, "go.sum": SUMS.replace("NIva", "AAAA")}
    assert "checksum mismatch" in (await building.refused(wrong, runtime="go")).splitlines()[0]


@pytest.mark.parametrize(
    ("runtime", "name"),
    [
        ("go", "go.mod"),
        ("go", "go.sum"),
        ("node", "package.json"),
        ("python", "requirements.txt"),
        ("python", "pyproject.toml"),
    ],
)
async def test_a_folder_where_a_file_is_meant(building: Building, runtime: str, name: str) -> None:
    said = await building.refused({f"{name}/x": "1"}, runtime=runtime)
    assert said.startswith(f"{name} must be a file")


async def test_the_platforms_module_is_the_runtimes_own(building: Building) -> None:
    for line in ("require faasioflex.dev/faasioflex v1.2.3", "replace faasioflex.dev/faasioflex => ../elsewhere"):
        await building.build({"function.go": PLAIN, "go.mod": f"module m\n\n{line}\n"}, runtime="go")
    assert "== fetch modules" not in building.lines


async def test_packages_and_modules_below(building: Building) -> None:
    sub = "package sub\n\nfunc X() string { return Y[string]{}.v }\n\ntype Y[T any] struct{ v T }\n"
    code = PLAIN.replace(")\n\nfunc", '\t"m/sub"\n)\n\nfunc').replace('"x"', "sub.X()")
    await building.build({"function.go": code, "sub/sub.go": sub, "go.mod": "module m\n"}, runtime="go")
    other = {
        "function.go": code.replace("m/sub", "example.com/sub"),
        "sub/sub.go": sub,
        "sub/go.mod": "module example.com/sub\n\ngo 1.22\n",
    }
    root = "module m\n\nrequire example.com/sub v0.0.0\n\nreplace example.com/sub => ./sub\n"
    await building.build({**other, "go.mod": root}, runtime="go")


async def test_a_named_handler_is_compiled_in(building: Building) -> None:
    await building.build({"function.go": PLAIN.replace("Handle", "Other")}, runtime="go", handler="Other")


@pytest.mark.parametrize(
    ("files", "first_line"),
    [
        ({"a.go": PLAIN.replace('"x"', "x")}, "a.go:9:80: undefined: x"),
        ({"a.go": PLAIN + "func a() int { }\nfunc b() int { }\n"}, "a.go:10:16: missing return (and 1 more)"),
        ({"a.go": PLAIN.replace("{ return", "( return")}, "a.go:9:71: expected ';', found '('"),
        ({"a.go": IDS}, "a.go:7:2: the package github.com/google/uuid is in no module that go.mod asks for"),
        ({"a.go": PLAIN, "go.mod": "module m\nfoo bar\n"}, "go: errors parsing go.mod: go.mod:2: unknown directive: foo"),
        ({"a.go": PLAIN, "go.mod": "module m\ngo 1.99\n"}, "go: go.mod requires go >= 1.99"),
        ({"a.go": PLAIN.replace("package function", "package main")}, "a.go: the package is called main"),
        ({"a.go": "package function\n"}, "there is neither Handle nor Handler"),
        ({"a.txt": ""}, "there is no Go file in the root of the code"),
    ],
)  # fmt: skip
async def test_mistakes_are_told_where_they_are(building: Building, files: dict[str, str], first_line: str) -> None:
    message = await building.refused(files, runtime="go")
    assert message.startswith(first_line)
    assert "/ffx/" not in message
    assert "/tmp/" not in message


async def test_no_version_control_is_asked(building: Building) -> None:
    module = "module m\n\nrequire no-such-host.example/x v1.0.0\n"
    message = await building.refused({"a.go": PLAIN, "go.mod": module}, runtime="go")
    assert "no-such-host.example/x@v1.0.0" in message.splitlines()[0]
    assert not any("git" in line for line in building.lines)


async def test_a_namespaces_cache_is_its_own_and_goes_with_its_functions(building: Building) -> None:
    ada, bob = [await building.stored({"function.go": PLAIN}, runtime="go", namespace=name) for name in ("ada", "bob")]
    await building.builder.build(ada, building.lines.append)
    assert await building.builder.build(bob, building.lines.append) == building.builder.find(ada)
    changed = await building.stored({"function.go": f"{PLAIN}// changed\n"}, runtime="go", namespace="bob")
    await building.builder.build(changed, building.lines.append)
    assert len(building.kept("go-cache")) == 2
    for _ in range(2):
        await building.builder.collect([changed])
    assert len(building.kept("go-cache")) == 1
    for _ in range(2):
        await building.builder.collect([])
    assert building.kept("go-cache") == set()
