// Finding what to serve in a function's code.
import { relative, resolve, sep } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { fs, http } from './builtins.mjs';
import * as resolving from './resolve.mjs';
import { trace } from './trace.mjs';

const ENDINGS = ['.mjs', '.js', '.cjs', '.ts', '.mts', '.cts'];
const DEFAULT_MODULE = 'index';
const DEFAULT_NAMES = ['handle', 'app'];
const INSTEAD = [
  ['enum', 'use a const object instead of the enum'],
  ['parameter property', 'declare the field, and assign it in the constructor'],
  ['namespace', 'use a module or an object instead of the namespace'],
  ['import equals', 'use `import … from` or `createRequire` of node:module'],
];

/** The code cannot be served. The message is one line, `file:line: what is wrong: what to do`; `shown` is a trace or "". */
export class CannotLoad extends Error {
  constructor(message, shown = '') {
    super(message.split(/\s*\n\s*/).join(' '));
    this.shown = shown;
  }
}

/**
 * Import the function's module and find its handler: `handler` (`file:export`) or `index:handle`, else `index:app`, else the default
 * export itself where that is a function or an application.
 *
 * Gives `{kind: 'handler', target}`, or `{kind: 'app', target, upgrade}` with two listeners of node:http, the second null where
 * it takes no WebSockets. Throws CannotLoad.
 */
export async function load(code, handler) {
  const [module, ...rest] = (handler ?? DEFAULT_MODULE).split(':');
  const name = rest.join(':');
  const file = find(code, module || DEFAULT_MODULE);
  const exports = await importFile(code, file);
  const shown = relative(code, file);
  for (const one of name ? [name] : DEFAULT_NAMES) {
    const target = exported(exports, one);
    if (target !== undefined) return served(shown, one, target, exports);
  }
  const inner = defaultOf(exports);
  if ((!name || DEFAULT_NAMES.includes(name)) && (typeof inner === 'function' || isServer(inner))) return served(shown, 'default', inner, exports);
  const what = name ? `no export ${JSON.stringify(name)}` : 'neither an export `handle` nor `app`';
  const advice = name
    ? 'export it, or name another in `handler`'
    : 'export an `async function handle(event, context)`, or name what to call in `handler` (file:export)';
  throw new CannotLoad(`${shown}: there is ${what} (${listed(exports)}): ${advice}`);
}

function find(code, module) {
  const root = fs.realpathSync(code);
  const path = resolve(root, module);
  const inside = path.startsWith(root + sep);
  const candidates = ENDINGS.some((ending) => module.endsWith(ending)) ? [path] : ENDINGS.map((ending) => path + ending);
  for (const one of inside ? candidates : []) if (fs.existsSync(one) && fs.statSync(one).isFile()) return one;
  throw new CannotLoad(
    `there is no file ${module}.mjs (.js, .cjs, .ts or .mts) in the code: add it, or name another in \`handler\` (file:export)`,
  );
}

async function importFile(code, file) {
  try {
    return await import(pathToFileURL(file).href);
  } catch (error) {
    throw told(fs.realpathSync(code), file, error);
  }
}

/** Names are not looked for inside a default export that is itself what is served: Express's own `handle` is no handler. */
function exported(exports, path) {
  const inner = defaultOf(exports);
  const roots = typeof inner === 'function' || isServer(inner) ? [exports] : [exports, inner];
  for (const root of roots) {
    let found = root;
    for (const name of path.split('.')) found = found?.[name];
    if (found !== undefined) return found;
  }
  return undefined;
}

/** What compilers make of `export default` in CommonJS is one level further in. */
function defaultOf(exports) {
  const inner = exports.default;
  return inner?.__esModule && inner.default !== undefined ? inner.default : inner;
}

function served(file, name, target, exports) {
  const listener = asListener(target);
  const isApp = /(^|\.)app(lication)?$/.test(name) || listener !== target || (typeof target === 'function' && isListener(target));
  if (!isApp && typeof target === 'function') {
    if (/^class\b/.test(Function.prototype.toString.call(target))) {
      throw new CannotLoad(`${file}: ${JSON.stringify(name)} is a class: export a function`);
    }
    const owner = exports.handle === target ? undefined : defaultOf(exports);
    return { kind: 'handler', target: owner && typeof owner === 'object' ? target.bind(owner) : target };
  }
  if (typeof listener !== 'function') {
    throw new CannotLoad(`${file}: ${JSON.stringify(name)} is ${described(target)}: it must be a function or an application`);
  }
  return { kind: 'app', target: listener, upgrade: upgradeOf(target, exports), ready: readyOf(target) };
}

/** The `(req, res)` listener of an application: a function (Express), an http.Server, Koa, or Fastify; else the thing itself. */
function asListener(app) {
  if (!isServer(app)) return app;
  if (emitsRequests(app)) return (req, res) => app.emit('request', req, res);
  if (typeof app.callback === 'function') return app.callback();
  return (req, res) => app.server.emit('request', req, res);
}

function isServer(value) {
  if (value === null || typeof value !== 'object') return false;
  return emitsRequests(value) || typeof value.callback === 'function' || value.server instanceof http.Server;
}

function emitsRequests(value) {
  return value instanceof http.Server || (typeof value.listenerCount === 'function' && value.listenerCount('request') > 0);
}

function upgradeOf(app, exports) {
  const own = exported(exports, 'upgrade');
  if (typeof own === 'function') return own;
  const server = app instanceof http.Server ? app : app?.server instanceof http.Server ? app.server : null;
  if (server === null || server.listenerCount('upgrade') === 0) return null;
  return (req, socket, head) => server.emit('upgrade', req, socket, head);
}

/** Fastify wants to be waited for. */
function readyOf(app) {
  return app !== null && typeof app === 'object' && app.server instanceof http.Server && typeof app.ready === 'function'
    ? () => app.ready()
    : null;
}

/** Express and its like are functions with methods; other listeners are known by the names of what they take. */
function isListener(target) {
  if (typeof target.handle === 'function' || typeof target.listen === 'function') return true;
  const text = Function.prototype.toString.call(target);
  return /^(async\s+)?(function\s*\w*\s*)?\(\s*_?req(uest)?\s*,\s*_?(res(ponse)?|reply)\b/.test(text);
}

function listed(exports) {
  const inner = exports.default;
  const names = Object.keys(exports).filter((name) => name !== 'default' && name !== 'module.exports');
  if (inner !== undefined) {
    const more = inner !== null && typeof inner === 'object' ? Object.keys(inner).filter((name) => !names.includes(name)) : [];
    names.push(more.length > 0 ? `default {${more.join(', ')}}` : `default (${described(inner)})`);
  }
  return names.length > 0 ? `it exports ${names.slice(0, 20).join(', ')}` : 'it exports nothing';
}

function described(value) {
  if (value === null || value === undefined) return String(value);
  const kind = typeof value === 'object' ? (value.constructor?.name ?? 'object') : typeof value;
  return `${/^[aeiou]/i.test(kind) ? 'an' : 'a'} ${kind}`;
}

/** An error that nobody caught while the module was loaded. */
export function uncaught(code, error) {
  return told(code, resolve(code, 'the function'), error);
}

/** An error of an import, as words that say where and what to do. */
function told(code, file, error) {
  const isError = error instanceof Error;
  const name = isError ? error.name : 'Error';
  const message = isError ? error.message : String(error);
  const unsupported = isError && error.code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX';
  if (unsupported || (isError && error.code === 'ERR_INVALID_TYPESCRIPT_SYNTAX')) delete error.code; // the trace would show it once more
  const shown = isError ? trace(error) : '';
  if (isError && (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'MODULE_NOT_FOUND')) {
    const wanted = /Cannot find (?:package|module) '([^']+)'/.exec(message)?.[1] ?? 'a module';
    const asker = /imported from ([^\n]+)/.exec(message)?.[1] ?? /Require stack:\n- ([^\n]+)/.exec(message)?.[1] ?? file;
    const local = wanted.startsWith('.') || wanted.startsWith('/');
    const advice = local ? 'is it in the code, and spelt with its ending?' : 'add it to the dependencies in package.json';
    return new CannotLoad(`${inCode(code, asker)}: cannot find ${local ? inCode(code, wanted) : wanted}: ${advice}`);
  }
  const where = isError ? (placeIn(code, error.stack ?? '') ?? (name === 'SyntaxError' ? placeOfSyntaxError(code) : null)) : null;
  const said = `${where ?? relative(code, file)}: ${name}: ${message.trim()}${typescriptAdvice(unsupported, message, where ?? file)}`;
  return new CannotLoad(said, shown && `${shown.trimEnd()}\n`);
}

/** Node strips types and compiles nothing. */
function typescriptAdvice(unsupported, message, where) {
  if (unsupported) {
    const [, advice] = INSTEAD.find(([what]) => message.includes(`TypeScript ${what}`)) ?? [];
    return advice ? `: types are stripped only: ${advice}` : '';
  }
  const wanted = /does not provide an export named '([^']+)'|^Named export '([^']+)' not found/.exec(message);
  if (wanted === null || !/\.[mc]?ts(:\d+)?$/.test(where)) return '';
  return `: where ${wanted[1] ?? wanted[2]} is a type, write \`import type\` (types are stripped only)`;
}

/** `file:line` of the first place in the function's own code that a stack names. */
function placeIn(code, stack) {
  for (const [, path, line] of stack.matchAll(/(?:file:\/\/)?(\/[^\s()]*?):(\d+)/g)) {
    if (path.startsWith(code + sep)) return `${relative(code, path)}:${line}`;
  }
  return null;
}

/** The trace of a syntax error in a module does not name the module; Node's own check of the file that was loaded last does. */
function placeOfSyntaxError(code) {
  const url = resolving.lastResolved;
  if (url === null || !url.startsWith('file:')) return null;
  const file = fileURLToPath(url);
  const { spawnSync } = process.getBuiltinModule('node:child_process');
  const checked = spawnSync(process.execPath, ['--check', file], { encoding: 'utf8', timeout: 10_000 });
  return placeIn(code, checked.stderr ?? '') ?? inCode(code, file);
}

function inCode(code, path) {
  const plain = path.startsWith('file:') ? fileURLToPath(path) : path;
  return plain.startsWith(code + sep) ? relative(code, plain) : plain;
}
