"""Node functions with packages of the npm registry: fetched by npm, no script run, beside the code."""

from __future__ import annotations

import json
import os

import pytest

from faasioflex.manager.builder.jobs import MIB
from support.building import Building

pytestmark = pytest.mark.timeout(300)  # the first test on a machine fetches Node
INTEGRITY = "sha512-sGkPx+VjMtmA6MX27oA4FBFELFCZZ4S4XqeGOXCv68tT+jb3vk/RyaKWP0PTKyWtmLSM0b+adUTEvbs1PEaH2w=="
ESM = (
    "import ms from 'ms';\nif (ms('2 days') !== 172800000) throw new Error('not ms');\nexport const handle = () => 1;\n"
)
MANIFEST = {"name": "f", "type": "module", "dependencies": {"ms": "^2.1.0"}}


@pytest.fixture(autouse=True)
def room(building: Building) -> None:
    building.limited(disk_bytes=256 * MIB)


def lock(integrity: str = INTEGRITY, resolved: str = "https://registry.npmjs.org/ms/-/ms-2.1.2.tgz") -> str:
    entry = {"version": "2.1.2", "resolved": resolved, "integrity": integrity}
    packages = {"": {"name": "f", "dependencies": {"ms": "^2.1.0"}}, "node_modules/ms": entry}
    return json.dumps({"name": "f", "lockfileVersion": 3, "requires": True, "packages": packages})


async def test_with_and_without_a_lock(building: Building) -> None:
    """ESM and CommonJS see them; an address in a lock is not asked; the files are links to one layer."""
    first = await building.build({"index.js": ESM, "package.json": json.dumps(MANIFEST)}, runtime="node")
    assert first.deps is None
    version = json.loads((first.code / "node_modules/ms/package.json").read_text())["version"]
    assert version != "2.1.2"
    locked = {
        "package.json": json.dumps(MANIFEST),
        "package-lock.json": lock(resolved="http://127.0.0.1:9/-/ms-2.1.2.tgz"),
    }
    second = await building.build({"index.js": ESM, **locked}, runtime="node")
    assert json.loads((second.code / "node_modules/ms/package.json").read_text())["version"] == "2.1.2"

    fetches = building.lines.count("== fetch packages")
    common = "const ms = require('ms');\nexports.handle = () => ms('1s');\n"
    third = await building.build({"index.cjs": common, **locked}, runtime="node")
    assert building.lines.count("== fetch packages") == fetches
    one, other = (built.code / "node_modules/ms/index.js" for built in (second, third))
    assert os.path.samefile(one, other)


async def test_typescript_with_a_package(building: Building) -> None:
    typed = "import ms from 'ms';\nexport const handle = (event: { text(): string }): string => ms(event.text());\n"
    await building.build({"index.ts": typed, "package.json": json.dumps(MANIFEST)}, runtime="node")


async def test_no_script_runs(building: Building) -> None:
    """esbuild has a postinstall; this manifest one of its own, and one before npm's work."""
    scripts = dict.fromkeys(("preinstall", "install", "postinstall", "prepare"), "touch ran; exit 1")
    manifest = {"scripts": scripts, "dependencies": {"esbuild": "0.25.0"}}
    code = "import { existsSync } from 'node:fs';\nif (existsSync('ran')) throw new Error('it ran');\nexport const handle = () => 1;\n"
    files = {
        "index.mjs": code,
        "package.json": json.dumps(manifest),
        ".npmrc": "ignore-scripts=false\nregistry=http://127.0.0.1:9\n",
    }
    built = await building.build(files, runtime="node")
    # its script would have put the program of this machine in the place of this one
    assert (built.code / "node_modules/esbuild/bin/esbuild").read_bytes().startswith(b"#!/usr/bin/env node")


async def test_node_modules_of_the_code(building: Building) -> None:
    """Taken as they are where nothing is asked for; else npm's are in their place."""
    own = {
        "node_modules/ms/package.json": '{"name": "ms", "main": "x.js"}',
        "node_modules/ms/x.js": "module.exports = () => 172800000;\n",
    }
    alone = await building.build({"index.mjs": ESM, **own}, runtime="node")
    assert (alone.code / "node_modules/ms/x.js").is_file()
    asked = await building.build({"index.js": ESM, **own, "package.json": json.dumps(MANIFEST)}, runtime="node")
    assert not (asked.code / "node_modules/ms/x.js").exists()
    assert (asked.code / "node_modules/ms/index.js").is_file()


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("{", "package.json cannot be read"),
        ('{"dependencies": {"a": "github:x/y"}}', "only packages of this machine's npm registry are taken"),
        ('{"dependencies": {"ms": "99.0.0"}}', "a version that is asked for does not exist: No matching version found for ms@99.0.0"),
        ('{"dependencies": {"ffx-no-such-package-0": "1"}}', "a package that is asked for is not in the registry"),
    ],
)  # fmt: skip
async def test_what_cannot_be_had(building: Building, manifest: str, message: str) -> None:
    assert message in await building.refused({"index.mjs": ESM, "package.json": manifest}, runtime="node")


async def test_a_lock_that_does_not_fit(building: Building) -> None:
    files = {"index.js": ESM, "package.json": json.dumps(MANIFEST)}
    wrong = await building.refused(
        {**files, "package-lock.json": lock(INTEGRITY.replace("sGkPx", "AAAAA"))}, runtime="node"
    )
    assert wrong.startswith("fetch packages: a package is not the one that was locked")
    more = json.dumps({**MANIFEST, "dependencies": {"ms": "^2.1.0", "is-odd": "3.0.1"}})
    missing = await building.refused({**files, "package.json": more, "package-lock.json": lock()}, runtime="node")
    assert "do not say the same: run `npm install` and deploy both: Missing: is-odd@3.0.1" in missing
    elsewhere = await building.refused(
        {**files, "package-lock.json": lock(resolved="git+ssh://git@github.com/a/b")}, runtime="node"
    )
    assert elsewhere.startswith("package-lock.json: ms comes from")
