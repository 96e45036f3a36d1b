// Where the process begins: `start.mjs --code FOLDER [--check]`.
import { main } from './ffx_runtime/main.mjs';

await main(process.argv.slice(2));
