// What the platform tells an instance by its environment.
const MIB = 1024 * 1024;
const PRIVATE = ['FFX_CONFIG', 'FFX_REPORT_FD', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'];

/**
 * Read the settings, and take those out of `environment` that are no business of the function.
 *
 * `payload_bytes` null takes any size. Throws SyntaxError for an environment that no platform wrote.
 */
export function take(environment, code) {
  const config = JSON.parse(environment.FFX_CONFIG ?? '{}');
  const settings = {
    code,
    handler: config.handler ?? null,
    timeout_s: Number(config.timeout_s ?? 30),
    concurrency: Number(config.concurrency ?? 10),
    payload_bytes: config.payload_bytes === undefined ? 6 * MIB : config.payload_bytes,
    namespace: environment.FFX_NAMESPACE ?? 'local',
    function: environment.FFX_FUNCTION ?? 'function',
    revision: Number(environment.FFX_REVISION ?? 0),
    listen_fd: Number(environment.LISTEN_FDS ?? 0) > 0 ? 3 : null,
    port: environment.PORT ? Number(environment.PORT) : null,
    socket: environment.FFX_SOCKET ?? null,
    report_fd: environment.FFX_REPORT_FD ? Number(environment.FFX_REPORT_FD) : null,
  };
  for (const name of PRIVATE) delete environment[name];
  return settings;
}
