// What Node ends a process for: errors that nobody catches, and process.exit.
import { fs } from './builtins.mjs';
import { FD } from './call.mjs';
import { rawProblem } from './problem.mjs';
import { currentCall } from './report.mjs';
import { failure, trace } from './trace.mjs';

/**
 * An error that nobody catches, or a promise that nobody awaits, ends a Node process. Here the call it came from is answered, other calls
 * finish, and then the platform replaces the instance. A function with listeners of its own for them decides by itself.
 */
export function install(server) {
  process.on('uncaughtException', (error, origin) => {
    if (process.listenerCount('uncaughtException') > 1) return;
    const what = origin === 'unhandledRejection' ? 'a rejection was not handled' : 'an error was not caught';
    process.stderr.write(`${what}: this instance is replaced when its calls have ended\n${trace(error)}\n`);
    const call = currentCall.getStore();
    if (call !== undefined) {
      call.refuse('function-error', failure(error));
      call.cancel();
      call.release();
    }
    server.fail();
  });
  process.on('exit', (code) => {
    if (server.leaving) return;
    process.stderr.write(`the function ended its process (exit code ${code})\n`);
    for (const call of server.sweeper.calls) {
      if (call.done || call.started || !call.claim()) continue;
      try {
        fs.writeSync(call.socket[FD], rawProblem('function-error', 'the function ended its process', call.id));
      } catch {
        // its client has gone
      }
    }
  });
}
