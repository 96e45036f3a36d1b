"""A function's packages: fetched as wheels, kept as layers, never mixed with the runtime's own."""

from __future__ import annotations

import hashlib
from pathlib import Path

from faasioflex.manager.builder.jobs import MIB
from support.building import HANDLE, Building
from support.package_index import PackageIndex
from support.python_packages import sdist, wheel, wheel_name


async def test_code_alone_asks_no_registry(building: Building, index: PackageIndex) -> None:
    built = await building.build({"main.py": HANDLE})
    assert built.deps is None
    assert (built.code / "main.py").read_text() == HANDLE
    assert list((built.code / "__pycache__").glob("main.*.pyc"))
    assert index.asked == []
    assert building.lines[-1] == "== built"


async def test_requirements_txt(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0", requires=["words>=2"]))
    index.add(wheel_name("words", "2.1"), wheel("words", "2.1"))
    built = await building.with_packages("greeting", imports="import words; assert words.VERSION == '2.1'")
    assert built.deps is not None
    assert {path.name for path in built.deps.glob("*.py")} == {"greeting.py", "words.py"}
    assert any(line.strip() == "+ words==2.1" for line in building.lines)


async def test_pyproject_toml(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0"))
    files = {"pyproject.toml": '[project]\nname = "f"\ndependencies = ["greeting==1.0"]\n', "main.py": HANDLE}
    assert (await building.build({**files, "main.py": f"import greeting\n{HANDLE}"})).deps is not None


async def test_a_wheel_beats_a_newer_source_archive(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0"))
    index.add("greeting-2.0.tar.gz", sdist("greeting", "2.0", {"setup.py": "raise SystemExit('it ran')"}))
    await building.with_packages("greeting", imports="import greeting; assert greeting.VERSION == '1.0'")
    assert not any("== build" in line for line in building.lines if line != "== built")


async def test_the_same_requirements_are_fetched_once(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0"))
    index.add(wheel_name("words", "1.0"), wheel("words", "1.0"))
    first = await building.with_packages("greeting", "words", imports="import greeting")
    asked = len(index.asked)
    again = await building.with_packages("words", "# a comment", "greeting  ", imports="import words")
    assert again.code != first.code
    assert again.deps == first.deps
    assert len(index.asked) == asked


async def test_the_runtimes_packages_are_not_the_functions(building: Building, index: PackageIndex) -> None:
    """h11 and uvicorn of the function's are what it imports, and without them there are none."""
    for name in ("h11", "uvicorn", "httptools"):
        index.add(wheel_name(name, "99.0"), wheel(name, "99.0", {f"{name}.py": "WHOSE = 'the function'\n"}))
    check = "import h11, uvicorn, httptools\nassert h11.WHOSE == uvicorn.WHOSE == httptools.WHOSE == 'the function'"
    await building.with_packages("h11", "uvicorn", "httptools", imports=check)
    message = await building.refused({"main.py": f"import httptools\n{HANDLE}"})
    assert message.startswith("main.py:1: ModuleNotFoundError: No module named 'httptools'")


async def test_hashes_are_honoured(building: Building, index: PackageIndex) -> None:
    data = wheel("greeting", "1.0")
    index.add(wheel_name("greeting", "1.0"), data)
    right = hashlib.sha256(data).hexdigest()
    message = await building.refused_packages(f"greeting==1.0 --hash=sha256:{'0' * 64}")
    assert "Hash mismatch for `greeting==1.0`" in message
    await building.with_packages(f"greeting==1.0 --hash=sha256:{right}", imports="import greeting")


async def test_a_package_that_nobody_has(building: Building) -> None:
    message = await building.refused_packages("no-such-thing")
    assert message.startswith("fetch packages failed (exit code 1):\n")
    assert "Because no-such-thing was not found in the package registry" in message
    assert "build failed: fetch packages failed (exit code 1)" in building.lines


async def test_a_registry_that_refuses(building: Building, index: PackageIndex) -> None:
    index.refuses = True
    message = await building.refused_packages("greeting")
    assert "fetch packages failed" in message
    assert "403" in message


async def test_names_from_the_registry_and_nothing_else(building: Building, index: PackageIndex) -> None:
    for line in (f"--index-url {index.url}", "greeting @ file:///etc/passwd", "./greeting", "-r other.txt"):
        assert "requirements.txt, line 1" in await building.refused_packages(line)
    message = await building.refused_packages("a", "b; os_name == 'x\n--index-url http://127.0.0.1:9/simple'")
    assert "requirements.txt, line 2" in message
    text = "[project]\ndependencies = [\"b; os_name == 'x\\n-f /etc'\"]\n"
    assert "is not a package's name" in await building.refused({"pyproject.toml": text, "main.py": HANDLE})
    assert index.asked == []


async def test_a_wheel_cannot_ask_for_an_address(building: Building, index: PackageIndex) -> None:
    index.add(wheel_name("sly", "1.0"), wheel("sly", "1.0", requires=[f"other @ {index.url}/secret.whl"]))
    assert "URL" in await building.refused_packages("sly")
    assert not any("secret" in path for path in index.asked)


async def test_a_wheel_cannot_leave_its_folder(building: Building, index: PackageIndex) -> None:
    up = "../" * 12
    files = {
        "poisoned.py": "",
        "../outside.txt": "x",
        f"{up}tmp/ffx-poisoned": "x",
        "/tmp/ffx-poisoned": "x",
        f"poisoned-1.0.data/data/{up}tmp/ffx-poisoned": "x",
        f"poisoned-1.0.data/scripts/{up}tmp/ffx-poisoned": "x",
    }
    index.add(wheel_name("poisoned", "1.0"), wheel("poisoned", "1.0", files))
    built = await building.with_packages("poisoned", imports="import poisoned")
    assert built.deps is not None
    assert not Path("/tmp/ffx-poisoned").exists()
    assert not list(building.folder.rglob("outside.txt"))
    assert not list(building.folder.rglob("ffx-poisoned"))


async def test_a_login_in_the_registrys_url(building: Building) -> None:
    with PackageIndex(login=("ada", "s:e/c@ret")) as private:
        private.add(wheel_name("greeting", "1.0"), wheel("greeting", "1.0"))
        building.index = private
        building.builder = building.another()
        await building.with_packages("greeting", imports="import greeting")
    assert not any(secret in line for line in building.lines for secret in ("c@ret", "c%40ret"))


async def test_a_wheel_that_unpacks_to_too_much(building: Building, index: PackageIndex) -> None:
    building.limited(disk_bytes=32 * MIB)
    index.add(wheel_name("bomb", "1.0"), wheel("bomb", "1.0", {f"bomb/{n}.bin": bytes(8 * MIB) for n in range(10)}))
    message = await building.refused_packages("bomb")
    assert "No space left on device" in message or "wrote more than its 32 MiB of disk" in message


async def test_a_registry_that_does_not_answer(building: Building, index: PackageIndex) -> None:
    building.limited(timeout_s=4.0)
    index.open.clear()
    assert "fetch packages failed (took longer than its 4 s)" in await building.refused_packages("greeting")
