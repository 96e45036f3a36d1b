// Errors of user code, as the log and the caller see them.
import { fileURLToPath } from 'node:url';

import { util } from './builtins.mjs';

const OWN = fileURLToPath(new URL('.', import.meta.url));
const OWN_URL = new URL('.', import.meta.url).href;

/** The error with its trace and cause, frames of the runtime and of Node left out. */
export function trace(error) {
  const shown = error instanceof Error ? util.inspect(error) : `thrown: ${util.inspect(error)}`;
  const kept = [];
  for (const line of shown.split('\n')) {
    if (!/^\s+at /.test(line) || !(line.includes(OWN) || line.includes(OWN_URL) || /[( ]node:/.test(line))) kept.push(line);
    else if (line.endsWith(' {')) kept[kept.length - 1] += ' {'; // the error's own properties follow
  }
  return kept.join('\n');
}

/** The sentence for the caller: no trace, no message of the error, which may hold what callers should not see. */
export function failure(error) {
  if (error instanceof Error) return `the function raised ${error.constructor?.name || error.name}: its log has the trace`;
  const what = error === null || error === undefined ? String(error) : `${typeof error === 'object' ? 'an' : 'a'} ${typeof error}`;
  return `the function threw ${what}, not an Error: its log shows it, without a trace`;
}
