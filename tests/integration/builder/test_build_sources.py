"""Packages without a wheel: their source is fetched by one step, built by another that has no network."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path

import pytest

from support.building import Building
from support.package_index import PackageIndex
from support.python_packages import BACKEND, sdist, source_package, wheel, wheel_name


async def test_it_is_built_and_imported(building: Building, index: PackageIndex) -> None:
    index.add("greeting-1.0.tar.gz", source_package("greeting"))
    built = await building.with_packages("greeting", imports="import greeting; assert greeting.BUILT")
    assert built.deps is not None
    steps = [line for line in building.lines if line.startswith("== ")]
    assert [step for step in steps if "greeting" in step] == [
        "== fetch the source of greeting",
        "== ask greeting what its build needs",
        "== build greeting",
    ]


@pytest.mark.parametrize("with_json", [True, False])
async def test_the_newest_that_fits_is_taken(building: Building, index: PackageIndex, with_json: bool) -> None:
    index.with_json = with_json
    for version in ("0.9", "1.0", "1.9", "1.10", "1.11", "1.12rc1", "2.0"):
        index.add(f"greeting-{version}.tar.gz", source_package("greeting", version))
    index.yanked.add("greeting-1.11.tar.gz")
    index.requires_python["greeting-1.11.tar.gz"] = ">=3.11"
    index.add("greeting-1.10.1.tar.gz", source_package("greeting", "1.10.1"))
    index.requires_python["greeting-1.10.1.tar.gz"] = ">=4"
    index.add(wheel_name("friendly", "1.0"), wheel("friendly", "1.0", requires=["greeting>=1,<2"]))
    await building.with_packages("friendly", imports="import greeting; assert greeting.VERSION == '1.10'")
    await building.with_packages("greeting<1", imports="import greeting; assert greeting.VERSION == '0.9'")
    await building.with_packages("greeting==1.12rc1", imports="import greeting; assert greeting.VERSION == '1.12rc1'")


async def test_what_its_build_needs_is_fetched(building: Building, index: PackageIndex) -> None:
    """By pyproject.toml and by the backend's own answer; and what is needed may be without a wheel too."""
    index.add(wheel_name("carpenter", "1.0"), wheel("carpenter", "1.0", {"carpenter.py": BACKEND}))
    index.add("hammer-1.0.tar.gz", source_package("hammer"))
    index.add(wheel_name("nails", "3.0"), wheel("nails", "3.0"))
    hook = "return ['nails>2']"
    project = '[build-system]\nrequires = ["carpenter", "hammer"]\nbuild-backend = "shop"\nbackend-path = ["."]\n'
    shop = (
        "import carpenter, hammer\ndef get_requires_for_build_wheel(settings=None):\n"
        f"    {hook}\n"
        "def build_wheel(*arguments):\n    import nails\n    return carpenter.build_wheel(*arguments)\n"
    )
    files = {"pyproject.toml": project, "shop.py": shop, "contents/chair.py": "LEGS = 4\n"}
    index.add("chair-1.0.tar.gz", sdist("chair", "1.0", files))
    await building.with_packages("chair", imports="import chair; assert chair.LEGS == 4")


async def test_a_package_for_another_machine_is_built_for_this_one(building: Building, index: PackageIndex) -> None:
    tag = "cp311-cp311-win_amd64"
    index.add(wheel_name("greeting", "1.0", tag), wheel("greeting", "1.0", tag=tag))
    index.add("greeting-1.0.tar.gz", source_package("greeting"))
    await building.with_packages("greeting", imports="import greeting; assert greeting.BUILT")


async def test_hashes_hold_for_the_source(building: Building, index: PackageIndex) -> None:
    data = source_package("greeting")
    index.add("greeting-1.0.tar.gz", data)
    wrong = await building.refused_packages(f"greeting==1.0 --hash=sha256:{'0' * 64}")
    assert "Hash mismatch for greeting-1.0.tar.gz" in wrong
    right = hashlib.sha256(data).hexdigest()
    await building.with_packages(f"greeting==1.0 --hash=sha256:{right}", imports="import greeting")
    index.hashes["greeting-1.0.tar.gz"] = "1" * 64
    assert "is not what the registry says" in await building.refused_packages("greeting==1")


async def test_there_is_neither(building: Building, index: PackageIndex) -> None:
    tag = "cp39-cp39-win_amd64"
    index.add(wheel_name("greeting", "1.0", tag), wheel("greeting", "1.0", tag=tag))
    message = await building.refused_packages("greeting")
    assert "greeting: there is neither a wheel for this machine nor a source archive" in message


async def test_what_the_backend_says_is_quoted(building: Building, index: PackageIndex) -> None:
    index.add("broken-1.0.tar.gz", source_package("broken", before_build="raise ValueError('no compiler here')"))
    message = await building.refused_packages("broken")
    assert message.startswith("build broken failed (exit code 1):\n")
    assert message.endswith("ValueError: no compiler here")


async def test_its_layer_is_its_namespaces_own(building: Building, index: PackageIndex) -> None:
    """Package code ran: nobody else uses what it made, and who has the same code and only wheels shares all."""
    index.add("greeting-1.0.tar.gz", source_package("greeting"))
    index.add(wheel_name("words", "1.0"), wheel("words", "1.0"))
    files = {"requirements.txt": "greeting\n", "main.py": "import greeting\ndef handle(event, context): return 1\n"}
    mine = await building.build(files)
    asked = len(index.asked)
    assert await building.build(files, name="another") == mine
    assert len(index.asked) == asked
    other = await building.build(files, namespace="globex")
    assert other.deps != mine.deps
    assert other.code != mine.code
    assert len(index.asked) > asked
    files["requirements.txt"] = "words\n"
    files["main.py"] = "def handle(event, context): return 1\n"
    shared = await building.build(files)
    assert await building.build(files, namespace="globex") == shared


async def test_an_archive_cannot_leave_its_folder(building: Building, index: PackageIndex, tmp_path: Path) -> None:
    specials = [
        ("../../outside", tarfile.REGTYPE, ""),
        (f"{tmp_path}/outside", tarfile.REGTYPE, ""),
        ("greeting-1.0/link", tarfile.SYMTYPE, "/ffx"),
        ("greeting-1.0/link/outside", tarfile.REGTYPE, ""),
        ("greeting-1.0/hard", tarfile.LNKTYPE, "../../../etc/passwd"),
        ("greeting-1.0/device", tarfile.CHRTYPE, ""),
        ("greeting-1.0/fifo", tarfile.FIFOTYPE, ""),
    ]
    index.add("greeting-1.0.tar.gz", source_package("greeting", specials=specials))
    await building.with_packages("greeting", imports="import greeting")
    assert not list(tmp_path.rglob("outside"))
    assert not list(building.folder.rglob("outside"))


async def test_a_setuptools_package_of_the_old_style(building: Building, index: PackageIndex) -> None:
    """Where there is a setuptools to be had without the network."""
    setuptools = _installed_wheel("setuptools")
    if setuptools is None:
        pytest.skip("no wheel of setuptools on this machine (ensurepip has none)")
    index.add(setuptools.name, setuptools.read_bytes())
    helper = _installed_wheel("wheel")
    if helper is not None:
        index.add(helper.name, helper.read_bytes())
    setup = "from setuptools import setup\nsetup(name='oldie', version='1.0', py_modules=['oldie'])\n"
    index.add("oldie-1.0.tar.gz", sdist("oldie", "1.0", {"setup.py": setup, "oldie.py": "AGE = 30\n"}))
    if helper is None and not _builds_alone(setuptools.name):
        pytest.skip("the setuptools of this machine needs the package wheel as well")
    await building.with_packages("oldie", imports="import oldie; assert oldie.AGE == 30")


def _installed_wheel(name: str) -> Path | None:
    import ensurepip

    bundled = Path(ensurepip.__file__).parent / "_bundled"
    places = [bundled, Path("/usr/share/python-wheels")]
    found = [path for place in places if place.is_dir() for path in place.glob(f"{name}-*.whl")]
    return found[0] if found else None


def _builds_alone(filename: str) -> bool:
    return int(filename.split("-")[1].split(".", maxsplit=1)[0]) >= 71
