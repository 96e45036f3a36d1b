// What a handler may know and ask about its call.
import { fs, util } from './builtins.mjs';

const SECRET = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

const SECRETS = '/run/ffx/secrets';

/** Who calls, as the platform verified it: { user, groups, email }; null where nobody is signed in. */
function principalOf(headers) {
  const user = headers['x-ffx-user'];
  if (!user) return null;
  const groups = text(headers['x-ffx-groups']).split(',').map((name) => name.trim()).filter(Boolean);
  return { user: text(user), groups, email: text(headers['x-ffx-email']) };
}

/** A header's bytes are UTF-8 there, which node reads as latin1. */
const text = (value) => Buffer.from(String(value ?? ''), 'latin1').toString('utf8');

/** One call. `deadline` is in seconds since the epoch; `principal` is who calls, null where nobody is signed in. */
export class Context {
  #call;

  constructor(call, settings) {
    this.#call = call;
    this.request_id = call.id;
    this.deadline = Date.now() / 1000 + call.timeout_s;
    this.namespace = settings.namespace;
    this.function = settings.function;
    this.revision = settings.revision;
    this.principal = principalOf(call.req.headers);
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

  /** The value of a secret that the function lists, as it is now. Throws Error where it lists none of that name. */
  secret(name) {
    return this.secret_bytes(name).toString('utf8');
  }

  /** The same as a Buffer, for a value that is not text. */
  secret_bytes(name) {
    const folder = process.env.FFX_SECRETS_DIR ?? SECRETS;
    try {
      if (SECRET.test(name)) return fs.readFileSync(`${folder}/${name}`);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
    }
    throw new Error(`the function has no secret ${JSON.stringify(name)}: list it under secrets`);
  }

  /** The function's own token, for calls of other functions. It is renewed: ask again for each call. Throws Error where the platform gives none. */
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
