import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './free-port.mjs';
import { root } from './steps.mjs';

/**
 * Serves what the quickstart has done, in the way of a cluster: a Temporal server with the runs in its database and its Web
 * UI, and a worker, until the signal comes.
 */
export async function keepOpen({ folder, dir, env, signal }) {
  const [port, uiPort] = await Promise.all([freePort(), freePort()]);
  const database = join(env.MODEL_PREFETCH_HOME, 'temporal/temporal.db');
  const ports = ['--ip', '127.0.0.1', '--port', String(port), '--ui-port', String(uiPort)];
  const forCluster = {
    TEMPORAL_ADDRESS: `127.0.0.1:${port}`,
    MODEL_PREFETCH_STORE: `file://${join(env.MODEL_PREFETCH_HOME, 'store')}/`,
    MODEL_PREFETCH_SHARED_FILES: 'true',
  };
  const server = start(env.TEMPORAL_CLI_PATH, ['server', 'start-dev', '--db-filename', database, ...ports], env);
  let worker;
  try {
    const ui = `http://127.0.0.1:${uiPort}`;
    await untilServed(`${ui}/api/v1/namespaces/default`, server);
    worker = start(process.execPath, ['dist/cli/main.js', 'worker'], { ...env, ...forCluster });
    console.log(`
5. Look around; Ctrl-C stops and removes everything
The runs, with their histories:  ${ui}
The model:                       ${dir}
For another terminal, in this folder:
  export HF_ENDPOINT=${env.HF_ENDPOINT}
${Object.entries(forCluster)
  .map(([name, value]) => `  export ${name}=${value}`)
  .join('\n')}
  node dist/cli/main.js status quickstart/small-llama
  node dist/cli/main.js hf-model quickstart/small-llama --wait --include '*.json'
Everything lies in ${folder}`);
    await Promise.race([once(server, 'close'), signal.aborted ? undefined : once(signal, 'abort')]);
    if (!signal.aborted) throw new Error('The Temporal server ended by itself');
  } finally {
    await Promise.all([worker, server].map(end));
  }
}

function start(program, args, env) {
  return spawn(program, args, { cwd: root, env, stdio: 'ignore' });
}

async function end(child) {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

async function untilServed(url, server) {
  for (let tries = 0; tries < 600 && server.exitCode === null; tries += 1) {
    const good = await fetch(url).then(
      ({ ok }) => ok,
      () => false
    );
    if (good) return;
    await delay(100);
  }
  throw new Error('The Temporal server did not start');
}
