// What functions may import: `import { Response } from 'ffx_runtime'`, or `require('ffx_runtime')`.
export { CloudEvent } from './cloudevent.mjs';
export { Context } from './context.mjs';
export { BadRequest, Event } from './event.mjs';
export { Headers } from './headers.mjs';
export { Response } from './response.mjs';
