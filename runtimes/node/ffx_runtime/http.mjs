// node:http without its facade for modules: `import http from 'node:http'` looks at every export, one of which loads the whole of
// undici. That takes longer than all else until an instance is ready.
export const http = process.getBuiltinModule('node:http');
