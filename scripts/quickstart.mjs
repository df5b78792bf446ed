// npm run quickstart: a model goes from a Hub through Temporal into a store, on this machine alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { keepOpen } from './quickstart-keep.mjs';
import { buildAll, checkNode, getTemporalCli, install } from './set-up.mjs';
import { startSlowHub } from './slow-hub.mjs';
import { root, step } from './steps.mjs';
import { makeSmallModel } from './small-model.mjs';

const REPO = 'quickstart/small-llama';
const MiB = 1024 * 1024;
const HALF = 64 * MiB;
const HALF_WITHIN_MS = 180_000;
const keep = process.argv.includes('--keep');
const cli = 'dist/cli/main.js';
const children = new Set();
const interrupt = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    interrupt.abort();
    for (const child of children) child.kill('SIGINT');
  });
}

const nextStep = `Next: README.md, "On your machine" with a
model of the real Hub, "On a cluster" with workers, S3 and workflows of yours,
docs/sharding.md for serving with vLLM.`;

process.exitCode = await main();

async function main() {
  console.log(`Installs and builds what is missing, gets the Temporal CLI, starts a Hub on this
machine, and brings a small Llama from there into a store: killed on its way,
asked for again, and split for two GPUs. Takes a minute once all is installed.
${keep ? 'Server, Hub and Web UI then stay open until Ctrl-C.' : 'Nothing stays: no process, no folder. With `-- --keep`, all stays open to look at.'}
`);
  if (!(await step('Node', checkNode)) || !(await step('Install packages', install))) return 1;
  if (!(await buildAll()) || !(await step('Find or get the Temporal CLI', getTemporalCli))) return 1;
  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-'));
  try {
    await tell(folder);
  } catch (error) {
    if (!interrupt.signal.aborted) {
      console.log(
        `\nFAIL  ${error.message}\nWhat happened is in ${folder}\n(the server's log: home/temporal/temporal.db.log).`
      );
      return 1;
    }
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  if (interrupt.signal.aborted && !keep) return 130;
  console.log(`\nEverything is stopped and removed. ${nextStep}`);
  return 0;
}

async function tell(folder) {
  const models = join(folder, 'models');
  if (!(await step('Make a small Llama', () => makeSmallModel(join(models, REPO))))) throw new Error('No model');
  const hub = await startSlowHub(models, HALF);
  const own = {
    Q: folder,
    HF_ENDPOINT: hub.url,
    MODEL_PREFETCH_HOME: join(folder, 'home'),
    TEMPORAL_CONFIG_FILE: join(folder, 'temporal.toml'),
  };
  await writeFile(own.TEMPORAL_CONFIG_FILE, '[profile.default]\n');
  const env = { ...cleanEnvironment(), ...own };
  try {
    console.log('\nThe commands below see these variables, and nothing of a set-up of yours:');
    console.log(
      Object.entries(own)
        .map(([name, value]) => `  export ${name}=${value}`)
        .join('\n')
    );
    const dir = await prefetchTwice(hub, env);
    await shardAndVerify(dir, env);
    if (keep) await keepOpen({ folder, dir, env, signal: interrupt.signal });
  } finally {
    hub.letGo();
    await hub.close();
  }
}

/** Kills a run half-way, ends it with the same command, and asks once more. */
async function prefetchTwice(hub, env) {
  const store = join(env.MODEL_PREFETCH_HOME, 'store');
  title('1. Bring the model, and kill -9 on the way');
  const killed = start(['hf-model', REPO], env);
  await untilHalf(hub, store, killed);
  killed.kill('SIGKILL');
  await once(killed, 'close');
  const before = hub.sentBytes();
  hub.letGo();
  console.log(`(killed with ${mib(before)} in the store)`);

  title('2. The same command goes on where it was');
  await run(['hf-model', REPO], env);
  const after = hub.sentBytes() - before;
  const size = await weightsBytes(store);
  console.log(
    `(the Hub sent ${mib(before)} before the kill and ${mib(after)} after it;\n` +
      ` the model has ${mib(size)}: ${mib(Math.max(0, before + after - size))} were fetched twice)`
  );

  title('3. Ask again: it is there and verified');
  const url = (await run(['hf-model', REPO], env)).trim().split('\n').at(-1);
  console.log(`(the Hub sent ${mib(hub.sentBytes() - before - after)} of weights)`);
  return decodeURIComponent(new URL(url).pathname).replace(/\/$/, '');
}

async function shardAndVerify(dir, env) {
  const target = join(env.Q, 'small-llama-tp2');
  title('4. Split it for two GPUs, without one, and check every byte');
  await run(['shard', dir, '--to', target, '--tensor-parallel-size', '2'], env);
  await run(['verify', target, '--deep'], env);
}

/** The user's own cluster, store and token must stay out of it. */
function cleanEnvironment() {
  const ours = /^(?:TEMPORAL_(?!CLI_PATH$)|MODEL_PREFETCH_|HF_|(?:https?|all)_proxy$)/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** The Hub has sent what it sends for now, and the store has been still since. */
async function untilHalf(hub, store, child) {
  let still = 0;
  const deadline = Date.now() + HALF_WITHIN_MS;
  for (let known = ''; still < 10;) {
    if (child.exitCode !== null) throw new Error(`model-prefetch ended with code ${child.exitCode}`);
    interrupt.signal.throwIfAborted();
    if (Date.now() > deadline) throw new Error('half of the model did not arrive within 3 minutes');
    await delay(50);
    const found = hub.sentBytes() < HALF ? '' : await sizesIn(store);
    still = found !== '' && found === known ? still + 1 : 0;
    known = found;
  }
}

async function sizesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file).catch(() => ({ size: 0 }))).size));
  return JSON.stringify(sizes);
}

async function weightsBytes(store) {
  const entries = await readdir(store, { recursive: true, withFileTypes: true });
  const { parentPath, name } = entries.find((entry) => entry.name === 'model.safetensors');
  return (await stat(join(parentPath, name))).size;
}

/** Runs a command to its end and gives what it printed. */
async function run(args, env) {
  const child = start(args, env);
  const printed = [];
  child.stdout.on('data', (chunk) => printed.push(chunk));
  const [code] = await once(child, 'close');
  interrupt.signal.throwIfAborted();
  if (code !== 0) throw new Error(`model-prefetch ${args[0]} ended with code ${code}`);
  return printed.join('');
}

function start(args, env) {
  console.log(`$ ${commandLine(args, env.Q)}`);
  const child = spawn(process.execPath, [cli, ...args], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.on('data', (chunk) => process.stdout.write(chunk));
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

/** As it can be pasted, in lines that fit a terminal. */
function commandLine(args, folder) {
  const words = args.map((arg, position) => {
    const isPath = arg.startsWith(folder);
    const breaks = arg.startsWith('--') || (isPath && !args[position - 1].startsWith('--'));
    return `${breaks ? '\\\n    ' : ''}${isPath ? `"$Q${arg.slice(folder.length)}"` : arg}`;
  });
  return [`node ${cli}`, ...words].join(' ');
}

function title(text) {
  console.log(`\n${text}`);
}

function mib(bytes) {
  return `${(bytes / MiB).toFixed(1)} MiB`;
}
