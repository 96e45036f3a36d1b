// Modules of Node without their facades: `import http from 'node:http'` looks at every export, and some of those load much more (undici,
// fs/promises). That would take longer than all else until an instance is ready.
export const fs = process.getBuiltinModule('node:fs');
export const http = process.getBuiltinModule('node:http');
export const util = process.getBuiltinModule('node:util');
