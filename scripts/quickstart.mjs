// npm run quickstart: a model goes from a Hub through Temporal into a store, on this machine alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildAll, checkNode, getTemporalCli, install } from './set-up.mjs';
import { root, step } from './steps.mjs';
import { makeTinyModel } from './tiny-model.mjs';

const REPO = 'quickstart/tiny-llama';
const cli = join(root, 'dist/cli/main.js');
const children = new Set();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    process.exitCode = 130;
    for (const child of children) child.kill(signal);
  });
}

process.exitCode = (await main()) ? 0 : (process.exitCode ?? 1);

async function main() {
  console.log(
    'Installs and builds what is missing, gets the Temporal CLI, and brings a small Llama from a local Hub into a\n' +
      'local store, twice. Nothing keeps running afterwards.'
  );
  if (!(await step('Node', checkNode)) || !(await step('Install packages', install))) return false;
  if (!(await buildAll()) || !(await step('Find or get the Temporal CLI', getTemporalCli))) return false;

  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-quickstart-'));
  const models = join(folder, 'models');
  if (!(await step('Make a small Llama', () => makeTinyModel(join(models, REPO))))) return false;
  const environment = await cleanEnvironment(folder);
  const hub = await startHub(models, environment);
  if (hub === undefined) return false;
  try {
    const withHub = { ...environment, HF_ENDPOINT: hub.url };
    return (
      (await prefetch('Bring it: from the Hub, through Temporal, into the store', withHub)) &&
      (await prefetch('Ask again: it is there and verified, nothing is fetched', withHub)) &&
      farewell(folder)
    );
  } finally {
    await stop(hub.child);
  }
}

/** The user's own cluster, store and token must stay out of it. */
async function cleanEnvironment(folder) {
  const ours = /^(?:TEMPORAL_(?!CLI_PATH$)|MODEL_PREFETCH_|HF_)/;
  const kept = Object.entries(process.env).filter(([name]) => !ours.test(name));
  const noProfiles = join(folder, 'temporal.toml');
  await writeFile(noProfiles, '[profile.default]\n');
  return {
    ...Object.fromEntries(kept),
    TEMPORAL_CONFIG_FILE: noProfiles,
    MODEL_PREFETCH_HOME: join(folder, 'home'),
  };
}

async function startHub(models, env) {
  let hub;
  const good = await step('Start a local Hub', async () => {
    const child = start(['dev-hub', models], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = [];
    child.stderr.on('data', (chunk) => said.push(chunk));
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = /HF_ENDPOINT=(\S+)/.exec(line) ?? [];
      if (url === undefined) continue;
      hub = { child, url };
      return url;
    }
    throw new Error(`The Hub did not start: ${said.join('').trim()}`);
  });
  return good ? hub : undefined;
}

async function prefetch(title, env) {
  const args = ['hf-model', REPO];
  console.log(`\n${title}\n$ model-prefetch ${args.join(' ')}`);
  const child = start(args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) console.log(`FAIL  model-prefetch ended with code ${code}`);
  return code === 0;
}

function farewell(folder) {
  console.log(`\nDone. The model and the database of its runs lie in ${folder}; delete that folder at will.`);
  return true;
}

function start(args, options) {
  const child = spawn(process.execPath, [cli, ...args], options);
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

async function stop(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'close');
}
