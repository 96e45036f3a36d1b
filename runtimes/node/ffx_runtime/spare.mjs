// `start.mjs --spare`: everything that does not depend on a function is done now, then the process waits to be told which one.
//
// What it is told comes once, on descriptor TOLD: a JSON object `{argv, env, cwd}`, as if the process was started so.
import net from 'node:net';

import { fs } from './builtins.mjs';
import { Report } from './report.mjs';
import { Server } from './server.mjs';
import './failures.mjs';
import { prepare } from './watch.mjs';

const TOLD = 5;
const REPORT = 4; // the descriptor and the folder that every instance of the platform has
const CODE = '/ffx/code';
const REQUEST = 'POST / HTTP/1.1\r\nhost: spare\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}';
const REHEARSALS = 3;
const STAGE = '\0ffx-spare'; // a name in the sandbox's own network: no file

/** Gives the options of the function that this process is for. */
export async function wait() {
  await rehearse();
  await prepare(REPORT, CODE);
  const { argv, env, cwd } = told();
  process.chdir(cwd);
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  const at = argv.findIndex((word) => word.endsWith('/start.mjs')) + 1;
  process.argv.splice(2, Infinity, ...argv.slice(at));
  return process.argv.slice(2);
}

/** Answer a few calls of nobody's, so that what V8 and Node do at the first ones is done. */
async function rehearse() {
  const settings = { timeout_s: 1, concurrency: 1, payload_bytes: 1024, namespace: '', function: '', revision: 0 };
  const streams = { hasPartial: false, endCall() {} };
  const server = new Server(settings, new Report(null), streams, { kind: 'handler', target: async (event) => event.json() });
  await new Promise((resolve) => server.http.listen(STAGE, resolve));
  const caller = net.connect(STAGE);
  for (let calls = 0; calls < REHEARSALS; calls += 1) {
    caller.write(REQUEST);
    await new Promise((resolve) => caller.once('data', resolve));
  }
  caller.destroy();
  await new Promise((resolve) => server.http.close(resolve));
}

/** Say that we are ready, and read until the other side has said all. Its end without a word is ours. */
function told() {
  const pieces = [];
  const piece = Buffer.alloc(65536);
  try {
    fs.writeSync(TOLD, '\n');
    for (let length; (length = fs.readSync(TOLD, piece)) > 0; ) pieces.push(Buffer.from(piece.subarray(0, length)));
  } catch {
    // whoever could tell us has gone
  }
  fs.closeSync(TOLD);
  if (pieces.length === 0) process.reallyExit(0);
  return JSON.parse(Buffer.concat(pieces).toString());
}
