// Carries out the attack that the path names: in a process of its own, or here where Node has its own ways.

import { spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import os from 'node:os';
import { Worker } from 'node:worker_threads';

export async function handle(event, context) {
  const name = event.path.replace(/^\/attack\//, '');
  return name === 'native' ? await native(event.json()) : await vehicle(name, event.body);
}

function vehicle(name, body) {
  return new Promise((resolve, reject) => {
    const made = spawn(process.env.VEHICLE_PYTHON, ['-I', '-B', '/ffx/code/vehicle/run.py', name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const pieces = [];
    made.stdout.on('data', (piece) => pieces.push(piece));
    made.on('error', reject);
    made.on('close', (code) => {
      if (code === 0) resolve(Buffer.concat(pieces).toString());
      else reject(new Error(`the attack ended with ${code}`));
    });
    made.stdin.end(body.length ? body : '{}');
  });
}

async function native({ paths, targets, abstract, pids }) {
  const [got, refused, saw] = [{}, {}, {}];
  const tried = async (label, what) => {
    try {
      got[label] = String(await what()).slice(0, 300);
    } catch (error) {
      refused[label] = `${error.code ?? error.name}: ${error.message}`;
    }
  };
  for (const path of paths) {
    await tried(`read ${path}`, () => (fs.statSync(path).isDirectory() ? fs.readdirSync(path) : fs.readFileSync(path)));
    await tried(`link ${path}`, () => {
      fs.rmSync('/tmp/link', { force: true });
      fs.symlinkSync(path, '/tmp/link');
      return fs.readFileSync('/tmp/link');
    });
    await tried(`copy ${path}`, () => fs.cpSync(path, '/tmp/copied', { recursive: true }));
    await tried(`connect ${path}`, () => connect({ path }));
  }
  for (const name of abstract) await tried(`connect @${name}`, () => connect({ path: `\0${name}` }));
  for (const [host, port] of targets) {
    await tried(`tcp ${host} ${port}`, () => connect({ host, port }));
    await tried(`fetch ${host} ${port}`, () => fetch(`http://${host}:${port}/`, { signal: AbortSignal.timeout(1500) }));
    await tried(`http2 ${host} ${port}`, () => settled(http2.connect(`http://${host}:${port}`), 'connect'));
    await tried(`udp ${host} ${port}`, () => datagram(host, port));
  }
  for (const pid of pids) {
    await tried(`kill ${pid}`, () => process.kill(pid, 'SIGKILL'));
    await tried(`priority ${pid}`, () => os.setPriority(pid, 19));
  }
  for (const file of ['/ffx/code/index.mjs', '/ffx/runtime/start.mjs']) {
    await tried(`write ${file}`, () => fs.appendFileSync(file, '//'));
    await tried(`remove ${file}`, () => fs.rmSync(file));
  }
  await tried('setuid', () => process.setuid(0));
  for (const line of ['unshare -Urn true', 'mount -t tmpfs x /tmp', 'chroot /tmp true', 'nsenter -t 1 -a true', 'su -c true']) {
    await tried(line, () => {
      const done = spawnSync('sh', ['-c', line], { stdio: 'ignore' });
      if (done.status !== 0) throw new Error(`exit code ${done.status}`);
      return 'done';
    });
  }
  await tried('worker as root', () => settled(new Worker('process.setuid(0)', { eval: true }), 'online-and-root'));
  saw.interfaces = Object.keys(os.networkInterfaces());
  return { got, refused, saw };
}

function connect(options) {
  const made = net.connect(options);
  return settled(made, 'connect').finally(() => made.destroy());
}

/** Resolves with the event's name, rejects with an error, the end, or after a while. */
function settled(emitter, name) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing came')), 1500);
    emitter.once(name, () => resolve(name));
    emitter.once('error', reject);
    emitter.once('close', () => reject(new Error('closed')));
    emitter.once('exit', () => reject(new Error('exited')));
    emitter.once(name, () => clearTimeout(timer));
  });
}

function datagram(host, port) {
  const made = dgram.createSocket(net.isIPv6(host) ? 'udp6' : 'udp4');
  return new Promise((resolve, reject) => {
    made.once('error', reject);
    made.once('message', resolve);
    made.send('stolen', port, host, (error) => error && reject(error));
    setTimeout(() => reject(new Error('no answer')), 300);
  }).finally(() => made.close());
}
