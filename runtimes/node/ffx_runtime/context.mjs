// What a handler may know and ask about its call.
import { fs, util } from './builtins.mjs';

const SECRET = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** One call. `deadline` is in seconds since the epoch; `principal` is who calls, null where the platform does not know. */
export class Context {
  #call;

  constructor(call, settings) {
    this.#call = call;
    this.request_id = call.id;
    this.deadline = Date.now() / 1000 + call.timeout_s;
    this.namespace = settings.namespace;
    this.function = settings.function;
    this.revision = settings.revision;
    this.principal = call.req.headers['x-ffx-principal'] ?? null;
    this.traceparent = call.req.headers.traceparent ?? null;
  }

  /** An AbortSignal: aborted when the deadline passes or the client goes. Hand it to what waits (fetch, timers, streams). */
  get signal() {
    return this.#call.signal;
  }

  /** Seconds until the deadline, at least 0. */
  remaining_s() {
    return Math.max(0, this.deadline - Date.now() / 1000);
  }

  /** `log.info(…)`, `warn`, `error`, formatted as by console.log; lines carry the request id. `debug` is left out. */
  get log() {
    return LOG;
  }

  /** The value of a secret that the function lists. Throws Error where it lists none of that name. */
  secret(name) {
    const folder = process.env.FFX_SECRETS_DIR ?? '/ffx/secrets';
    try {
      if (SECRET.test(name)) return fs.readFileSync(`${folder}/${name}`, 'utf8');
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    throw new Error(`the function has no secret ${JSON.stringify(name)}: list it under secrets`);
  }

  /** The function's own token, for calls of other functions. Throws Error where the platform gives none. */
  token() {
    const path = process.env.FFX_TOKEN_FILE;
    if (!path) throw new Error('this platform gives functions no token');
    return fs.readFileSync(path, 'utf8').trim();
  }
}

function level(name) {
  return (...values) => void process.stderr.write(`${name} ${util.format(...values)}\n`);
}

const LOG = Object.freeze({
  debug() {},
  info: level('INFO'),
  warn: level('WARNING'),
  warning: level('WARNING'),
  error: level('ERROR'),
});
