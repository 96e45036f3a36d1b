"""Which modules are served, and what a build's check says of others."""

from __future__ import annotations

import pytest

HANDLE = "async function handle(event) { return event.path }\n"
EXPRESS = """
const express = () => {
  const app = (one, other) => app.handle(one, other);
  return Object.assign(app, { handle: (req, res) => res.end(req.url), listen() {} });
};
"""


@pytest.mark.parametrize(
    ("files", "handler"),
    [
        ({"index.mjs": f"export default {{ handle }}; {HANDLE}"}, None),
        ({"index.cjs": f"module.exports.handle = handle; {HANDLE}"}, None),
        ({"index.js": f"exports.handle = handle; {HANDLE}"}, None),
        ({"index.js": f"export {HANDLE}", "package.json": '{"type": "module"}'}, None),
        ({"index.mts": "export const handle = (event: { path: string }): string => event.path"}, None),
        ({"src/main.ts": "enum_: for (;;) break enum_;\nexport const run = async (event: any) => event.path"}, "src/main:run"),
        ({"lib.mjs": f"export const inner = {{ handle }}; {HANDLE}"}, "lib.mjs:inner.handle"),
        ({"index.mjs": "export class Api { path = 'x'; handle(event) { return event[this.path] } }\nexport default { x: 1, handle(e) {"
          " return this.x && e.path } }"}, None),
        ({"index.mjs": "export function app(req, res) { res.end(req.url) }"}, None),
        ({"index.mjs": "export const serve = (req, res) => res.end(req.url)"}, "index:serve"),
        ({"index.js": "const app = (req, res) => res.end(req.url); module.exports = { app }"}, None),
        ({"index.mjs": "import http from 'node:http'; export const app = http.createServer((q, s) => s.end(q.url))"}, None),
        ({"index.mjs": "export const app = { callback: () => (req, res) => res.end(req.url) }"}, None),
        ({"index.mjs": "export default async (event, context) => event.path"}, None),
        ({"index.js": "module.exports = (event, context) => event.path"}, None),
        ({"index.js": "module.exports = (event, context) => event.path"}, "index:handle"),
        ({"index.js": "exports.__esModule = true; exports.default = (event) => event.path"}, None),
        ({"index.mjs": "export default (req, res) => res.end(req.url)"}, None),
        ({"index.mjs": f"{EXPRESS} export default express()"}, None),
        ({"index.js": f"{EXPRESS} module.exports = express()"}, None),
        ({"index.js": f"{EXPRESS} module.exports = express()"}, "index:default"),
        ({"index.js": f"{EXPRESS} exports.__esModule = true; exports.default = express()"}, None),
        ({"index.mjs": f"{EXPRESS} export const app = express(); export default app"}, None),
        ({"index.mjs": f"{EXPRESS} export default express(); export {HANDLE}"}, None),
        ({"index.mjs": "import http from 'node:http'; export default http.createServer((q, s) => s.end(q.url))"}, None),
        ({"index.mjs": "import { EventEmitter } from 'node:events'; const app = new EventEmitter();"
          " app.on('request', (q, s) => s.end(q.url)); export default app"}, None),
    ],
)  # fmt: skip
async def test_modules_of_every_kind_are_served(run, check, files, handler):
    assert await check(files, handler) == (0, "")
    instance = await run(files, handler=handler)
    async with instance.client() as client:
        assert (await client.get("/there")).text == "/there"


@pytest.mark.parametrize(
    ("files", "handler", "words"),
    [
        ({"main.mjs": HANDLE}, None, ["there is no file index.mjs"]),
        ({"index.mjs": "export const run = 1; export const other = 2"}, None, ["index.mjs: ", "run", "other", "`handle`"]),
        ({"index.mjs": "export default class Api {}"}, None, ['"default" is a class']),
        ({"index.mjs": "export default 7"}, None, ["default (a number)"]),
        ({"index.mjs": "export const handle = 7"}, None, ['"handle" is a number']),
        ({"index.mjs": f"export {HANDLE}"}, "index:other", ['no export "other"', "it exports handle"]),
        ({"index.mjs": "\nexport function handle( {\n  return 1\n}}\n"}, None, ["index.mjs:3: SyntaxError"]),
        ({"index.mjs": "import './lib.mjs'", "lib.mjs": "\n\n)"}, None, ["lib.mjs:3: SyntaxError"]),
        ({"index.cjs": "\n\nexports.handle = ( => 1"}, None, ["index.cjs:3: SyntaxError"]),
        ({"index.ts": "\nexport enum Colour { Red }"}, None, ["index.ts:2: SyntaxError", "enum", "const object"]),
        ({"index.ts": "import { T } from './t.ts'", "t.ts": "export interface T {}"}, None, ["index.ts:1: ", "`import type`"]),
        ({"index.mjs": "import express from 'express'"}, None, ["index.mjs: cannot find express", "package.json"]),
        ({"index.cjs": "require('express')"}, None, ["index.cjs: cannot find express", "package.json"]),
        ({"index.mjs": "import './lib'", "lib.mjs": ""}, None, ["cannot find lib", "ending"]),
        ({"index.mjs": "import { nothing } from './lib.mjs'", "lib.mjs": ""}, None, ["index.mjs:1: SyntaxError", "nothing"]),
        ({"index.mjs": "\n\nnull.x"}, None, ["index.mjs:3: TypeError"]),
        ({"index.mjs": "throw 'words'"}, None, ["index.mjs: Error: words"]),
        ({"index.mjs": "process.exit(3)"}, None, ["exit code 3"]),
        ({"index.mjs": "await new Promise(() => {})"}, None, ["never finishes loading"]),
        ({"index.mjs": "setTimeout(() => { throw new Error('early') }); await new Promise(() => {})"}, None, ["early"]),
    ],
)  # fmt: skip
async def test_the_check_says_what_is_wrong_and_where(check, files, handler, words):
    code, output = await check(files, handler)
    assert code == 1
    last = output.strip().splitlines()[-1]
    assert all(word in last for word in words), output
    assert "node:internal" not in output
    assert "ERR_" not in last
    assert not any(line.strip() == "}" or line.strip().startswith("code: ") for line in output.splitlines()), output
