// Errors of user code, as the log and the caller see them.
import { fileURLToPath } from 'node:url';

import { util } from './builtins.mjs';

const OWN = fileURLToPath(new URL('.', import.meta.url));
const OWN_URL = new URL('.', import.meta.url).href;

/** The error with its trace and cause, frames of the runtime and of Node left out. */
export function trace(error) {
  const shown = error instanceof Error ? util.inspect(error) : `thrown: ${util.inspect(error)}`;
  return shown
    .split('\n')
    .filter((line) => !/^\s+at /.test(line) || !(line.includes(OWN) || line.includes(OWN_URL) || /[( ]node:/.test(line)))
    .join('\n');
}

/** The sentence for the caller: no trace, no message of the error, which may hold what callers should not see. */
export function failure(error) {
  const name = error instanceof Error ? error.constructor?.name || error.name : `a ${typeof error}`;
  return `the function raised ${name}: its log has the trace`;
}
