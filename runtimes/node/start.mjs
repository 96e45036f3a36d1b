// Where the process begins: `start.mjs --code FOLDER [--check]`, or `--spare`.
import { main } from './ffx_runtime/main.mjs';

let options = process.argv.slice(2);
if (options[0] === '--spare') options = await (await import('./ffx_runtime/spare.mjs')).wait();
await main(options);
