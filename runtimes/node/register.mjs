// `node --import …/register.mjs`: what runs then can import `ffx_runtime`, as a function can. For a function's own tests.
import { install } from './ffx_runtime/resolve.mjs';

install();
