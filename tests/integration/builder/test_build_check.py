"""The last step: the code is loaded in the sandbox, and what is wrong is said first."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from faasioflex.manager.builder.jobs import MIB
from faasioflex.model.function import Limits
from support import archives
from support.building import HANDLE, Building

SCRIPT = "#!/bin/sh\ncat\n"


async def test_a_syntax_error(building: Building) -> None:
    message = await building.refused({"main.py": "def handle(event, context)\n    return 1\n"})
    assert message.startswith("main.py:1: SyntaxError: expected ':'\n")
    assert "importlib" not in message
    assert building.lines[-1] == "build failed: main.py:1: SyntaxError: expected ':'"


@pytest.mark.parametrize(
    ("files", "handler", "first"),
    [
        ({"main.py": "x = 1\n"}, None, "main.py: there is neither `handle` nor `app`"),
        ({"main.py": "x = 1\n"}, "main:work", "main.py: there is no 'work'"),
        ({"other.py": HANDLE}, None, "main.py is missing"),
        ({"main.py": f"import nothing_like_it\n{HANDLE}"}, None, "main.py:1: ModuleNotFoundError"),
        ({"main.py": f"from part import x\n{HANDLE}", "part.py": "\n1 / 0\n"}, None, "part.py:2: ZeroDivisionError"),
        ({"main.py": "raise ValueError('one\\ntwo')\n"}, None, "main.py:1: ValueError: one two"),
        ({"main.py": "import sys\nsys.exit('no')\n"}, None, "main.py:2: SystemExit: no"),
        ({"main.py": "def handle(): return 1\n"}, None, "main.py:1: 'handle' has other parameters"),
    ],
)
async def test_what_is_wrong_comes_first(
    building: Building, files: dict[str, str], handler: str | None, first: str
) -> None:
    message = await building.refused(files, handler=handler)
    assert message.startswith(first)
    assert "importlib" not in message
    assert "ffx_runtime" not in message


async def test_an_end_without_a_word(building: Building) -> None:
    message = await building.refused({"main.py": "import os\nprint('so far')\nos._exit(3)\n"})
    assert message.startswith("check (python ")
    assert "failed (exit code 3):\n" in message or message.endswith("failed (exit code 3)")


async def test_too_much_memory_for_an_instance(building: Building) -> None:
    files = {"main.py": f"held = [bytearray(b'x') * 1_000_000 for _ in range(1000)]\n{HANDLE}"}
    message = await building.refused(files, limits=Limits(memory_bytes=96 * MIB))
    assert "used more than its 96 MiB of memory: raise limits.memory_bytes" in message


async def test_the_environment_of_the_function(building: Building) -> None:
    files = {"main.py": f"import os\nassert os.environ['COLOUR'] == 'green'\n{HANDLE}"}
    assert "KeyError: 'COLOUR'" in await building.refused(files)
    await building.build(files, env={"COLOUR": "green"})


async def test_nothing_of_it_runs_in_our_process(building: Building, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = (
        "import os, socket, sys\n"
        f"try:\n    open({str(mark)!r}, 'w').write('x')\nexcept OSError as error:\n    print('no', error.strerror)\n"
        "sys.modules['ffx_test_was_here'] = sys\nos.environ['FFX_TEST_WAS_HERE'] = '1'\n"
        "print('at', socket.gethostname(), os.getcwd(), os.path.basename(__file__))\n"
    )
    folder = os.getcwd()
    await building.build({"main.py": code + HANDLE, "conftest.py": code, "sitecustomize.py": code})
    assert "at function /ffx/code main.py" in building.lines
    assert not mark.exists()
    assert "ffx_test_was_here" not in sys.modules
    assert "FFX_TEST_WAS_HERE" not in os.environ
    assert os.getcwd() == folder


async def test_what_it_writes_to_its_folder_is_refused(building: Building) -> None:
    code = "try:\n    open('/ffx/code/made', 'w')\nexcept OSError as error:\n    print(error.strerror)\n"
    built = await building.build({"main.py": code + HANDLE})
    assert "Read-only file system" in building.lines
    assert not (built.code / "made").exists()


async def test_a_file_that_nobody_imports_may_be_of_another_python(building: Building) -> None:
    built = await building.build({"main.py": HANDLE, "old/test_it.py": "print 'two'\n"})
    assert list((built.code / "__pycache__").glob("main.*.pyc"))
    assert building.lines[-1] == "== built"


async def test_old_bytecode_in_an_upload_is_made_anew(building: Building) -> None:
    tag = sys.implementation.cache_tag
    stale = archives.tar_gz(
        [archives.file("main.py", HANDLE.encode()), archives.file(f"__pycache__/main.{tag}.pyc", b"stale")]
    )
    built = await building.build(stale)
    assert (built.code / "__pycache__" / f"main.{tag}.pyc").read_bytes() != b"stale"


async def test_exec_the_only_file_is_made_executable(building: Building) -> None:
    built = await building.build({"shout": SCRIPT}, runtime="exec")
    assert (built.code / "shout").stat().st_mode & 0o777 == 0o755


async def test_exec_the_named_file_is_made_executable(building: Building) -> None:
    files = {"bin/shout": SCRIPT, "data.txt": "x", "more.txt": "y"}
    for handler in ("bin/shout", "./bin/../bin/shout"):
        built = await building.build(files, runtime="exec", handler=handler)
        assert (built.code / "bin/shout").stat().st_mode & 0o777 == 0o755
        assert (built.code / "data.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("files", "handler", "said"),
    [
        ({"one": SCRIPT, "two": SCRIPT}, None, "there are 2 files and 0 of them executable: name the program"),
        ({"one": SCRIPT}, "two", "two: there is no such file"),
        ({"one": SCRIPT}, "../../usr/bin/true", "there is no such file"),
        ({"one": SCRIPT}, "/usr/bin/true", "there is no such file"),
        ({"one": "#!/no/such/interpreter\n"}, None, "one:1: the interpreter /no/such/interpreter is not there"),
    ],
)
async def test_exec_what_is_wrong_comes_first(
    building: Building, files: dict[str, str], handler: str | None, said: str
) -> None:
    assert said in (await building.refused(files, runtime="exec", handler=handler)).partition("\n")[0]


async def test_an_import_that_never_ends_is_cut_short(building: Building) -> None:
    building.limited(build_s=6.0)
    message = await building.refused({"main.py": "import signal\nprint('here', flush=True)\nsignal.pause()\n"})
    assert message == "the build took longer than its 6 s"


async def test_lines_come_while_it_runs(building: Building) -> None:
    """A line of the function's own, while its import still waits: the builder is asked for nothing more."""
    files = {"main.py": "import signal\nprint('early', flush=True)\nsignal.pause()\n"}
    early = asyncio.Event()

    def on_line(line: str) -> None:
        if line == "early":
            early.set()

    wanted = await building.stored(files)
    under_way = asyncio.create_task(building.builder.build(wanted, on_line))
    waiting = asyncio.create_task(early.wait())
    await asyncio.wait({under_way, waiting}, return_when=asyncio.FIRST_COMPLETED)
    assert early.is_set()
    assert not under_way.done()
    await building.give_up()
