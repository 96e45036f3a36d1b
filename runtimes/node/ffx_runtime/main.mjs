// The process of an instance: load the function, then check or serve.
import { fs } from './builtins.mjs';
import { Streams } from './capture.mjs';
import { CannotLoad, load, uncaught } from './loading.mjs';
import { Report } from './report.mjs';
import * as resolving from './resolve.mjs';
import { take } from './settings.mjs';

/** `options`: `--code FOLDER [--check]`. */
export async function main(options) {
  const code = fs.realpathSync(options[options.indexOf('--code') + 1]);
  const check = options.includes('--check');
  const settings = take(process.env, code);
  const report = new Report(settings.report_fd);
  const streams = new Streams(report);
  process.chdir(code);
  resolving.install();
  if (!check) streams.install();
  const early = (error) => {
    if (process.listenerCount('uncaughtException') === 1) cannot(uncaught(code, error));
  };
  process.on('exit', unfinished).on('uncaughtException', early);
  let loaded;
  try {
    loaded = await load(code, settings.handler);
    if (loaded.ready) await loaded.ready();
  } catch (error) {
    cannot(error instanceof CannotLoad ? error : uncaught(code, error));
  }
  process.off('exit', unfinished).off('uncaughtException', early);
  if (check) process.exit(0);
  const { Server } = await import('./server.mjs');
  const { install } = await import('./failures.mjs');
  const server = new Server(settings, report, streams, loaded);
  install(server);
  await server.serve();
}

function cannot(error) {
  process.off('exit', unfinished);
  say(`${error.shown}${error.message}`);
  process.exit(1);
}

/** The process ends while the function's module is being loaded. */
function unfinished(code) {
  const waits = code === 13;
  say(
    waits
      ? 'the module never finishes loading: something that it awaits at its top level does not come'
      : `the module ended the process while it was loaded (exit code ${code}): leave out process.exit`,
  );
  process.exitCode = 1;
}

function say(text) {
  try {
    fs.writeSync(2, `${text}\n`);
  } catch {
    // nobody reads it
  }
}
