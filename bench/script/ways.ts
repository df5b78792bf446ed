import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pythonHub, pythonHubEnvironment } from '../../test/helpers/python-hub.js';
import { ensureS5cmd } from '../transfer/programs.js';
import type { Setting } from './setting.js';

/** Where one run works: a folder on local disk, and a prefix in the bucket. */
export interface Place {
  readonly folder: string;
  readonly prefix: string;
}

/** A run that goes on: its exit code comes, and it can be killed with all that it started. */
export interface Run {
  readonly ended: Promise<number | null>;
  readonly kill: () => Promise<void>;
}

/** One way to bring a model from the Hub into the bucket. */
export interface Way {
  readonly name: string;
  readonly isOurs: boolean;
  readonly start: (repo: string, place: Place) => Promise<Run>;
}

const cli = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

/** The two scripts that people write, and this package as `npx model-prefetch` is. */
export async function findWays(setting: Setting): Promise<Way[]> {
  const python = await pythonHub();
  if (python === undefined) throw new Error('The official client is missing: see above');
  const { AWS_ENDPOINT_URL_S3: endpoint = '' } = setting.s3Environment;
  const copies = {
    'aws s3 cp': 'aws s3 cp --recursive --only-show-errors --exclude ".cache/*" "$FOLDER" "$TARGET"',
    s5cmd: `"${await ensureS5cmd()}" --endpoint-url "${endpoint}" --log error cp --exclude ".cache/*" "$FOLDER/" "$TARGET"`,
  };
  const scripts = Object.entries(copies).map(([tool, copy]): Way => {
    const script = `"${python.hf}" download "$REPO" --local-dir "$FOLDER" --quiet > /dev/null && ${copy}`;
    return {
      name: `\`hf download\` and \`${tool}\``,
      isOurs: false,
      start: (repo, place) => begin('bash', ['-c', script], environmentOf(setting, repo, place)),
    };
  });
  const ours: Way = {
    name: '`model-prefetch hf-model`',
    isOurs: true,
    start: (repo, place) => begin(process.execPath, [cli, 'hf-model', repo], environmentOf(setting, repo, place)),
  };
  return [...scripts, ours];
}

/** What a run sees: this Hub, this bucket, and nothing of the user's own set-up. */
export function environmentOf({ hub, root, s3Environment }: Setting, repo: string, place: Place): NodeJS.ProcessEnv {
  const clean = Object.entries(pythonHubEnvironment({ url: hub.url, home: join(place.folder, '.cache', 'hf') })).filter(
    ([name]) => !/^(?:TEMPORAL_(?!CLI_PATH)|MODEL_PREFETCH_(?!TEST_CACHE))/.test(name)
  );
  return {
    ...Object.fromEntries(clean),
    ...s3Environment,
    REPO: repo,
    FOLDER: place.folder,
    TARGET: `${root}${place.prefix}`,
    MODEL_PREFETCH_STORE: `${root}${place.prefix}`,
    MODEL_PREFETCH_HOME: join(place.folder, 'home'),
  };
}

/** A process of a group of its own, for `kill -9` must reach what it started too. */
export async function begin(program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<Run> {
  await mkdir(env['FOLDER'] ?? '', { recursive: true });
  const child = spawn(program, args, { env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const ended = once(child, 'close').then(() => {
    const failed = child.exitCode !== 0 && child.signalCode === null;
    if (failed) console.error(Buffer.concat(said).toString().trimEnd());
    return child.exitCode;
  });
  return { ended, kill: () => killGroup(child, ended) };
}

async function killGroup(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  await ended;
}
