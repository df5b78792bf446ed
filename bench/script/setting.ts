import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MiB } from '../../src/core/units.js';
import { startDevHub, type DevFile, type DevHub } from '../../src/dev-hub/index.js';
import { openStore } from '../../src/storage/index.js';
import { type HubFaults, hubFaults } from '../../test/helpers/hub-faults.js';
import { startS3 } from '../transfer/programs.js';

/** A Hub whose answers can be spoiled, an S3 server, and what has gone over the wire between them. */
export interface Setting {
  readonly hub: DevHub;
  readonly faults: HubFaults;
  /** Address of the bucket, ends with a slash. */
  readonly root: string;
  readonly s3Environment: Readonly<Record<string, string>>;
  /** Bytes of weights that the CDN has sent until now. */
  readonly fetched: () => number;
  readonly close: () => Promise<void>;
}

/** A model of four files of weights and two small ones. */
export interface Model {
  readonly repo: string;
  readonly bytes: number;
  readonly files: number;
}

export const WEIGHTS = 4;

/** Starts both servers, with one model per size. */
export async function openSetting(sizes: Readonly<Record<string, number>>): Promise<Setting> {
  const faults = hubFaults();
  const repos = Object.entries(sizes).map(([id, mib]) => ({ id, commits: [{ files: modelFiles(id, mib * MiB) }] }));
  const hub = await startDevHub({ repos, intercept: faults.intercept });
  const s3 = await startS3();
  Object.assign(process.env, s3.said);
  return {
    hub,
    faults,
    root: s3.said['MODEL_PREFETCH_STORE'] ?? '',
    s3Environment: s3.said,
    fetched: () =>
      hub.requests.filter(({ origin }) => origin === 'cdn').reduce((sum, { bytesSent }) => sum + bytesSent, 0),
    close: async () => {
      await hub.close();
      await s3.stop();
    },
  };
}

function modelFiles(seed: string, bytes: number): Record<string, DevFile> {
  const small = (text: string): DevFile => ({ bytes: Buffer.from(text) });
  const weights = Array.from({ length: WEIGHTS }, (_, number): [string, DevFile] => [
    weightsName(number + 1),
    { size: bytes, seed: `${seed}-${String(number)}` },
  ]);
  return {
    ...Object.fromEntries(weights),
    'config.json': small('{"architectures":["LlamaForCausalLM"]}\n'),
    'tokenizer_config.json': small('{}\n'),
  };
}

/** Name of a file of weights; they count from 1. */
export function weightsName(number: number): string {
  return `model-0000${String(number)}-of-0000${String(WEIGHTS)}.safetensors`;
}

/** Paths of all objects below a prefix of the bucket. */
export async function objectsBelow(root: string, prefix: string): Promise<string[]> {
  const store = await openStore(root);
  const keys: string[] = [];
  for await (const { key } of store.list(prefix)) keys.push(key);
  await store.close();
  return keys;
}

/** SHA-256 of an object, read back with the AWS CLI. */
export async function digestOf(url: string, environment: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn('aws', ['s3', 'cp', url, '-'], { env: environment, stdio: ['ignore', 'pipe', 'inherit'] });
  const digest = createHash('sha256');
  for await (const chunk of child.stdout) digest.update(chunk as Buffer);
  return digest.digest('hex');
}

/** SHA-256 of a file of weights, as the Hub has it. */
export async function digestAtHub(hub: DevHub, repo: string, path: string): Promise<string> {
  const response = await fetch(`${hub.url}/${repo}/resolve/main/${path}`, { method: 'HEAD', redirect: 'manual' });
  return (response.headers.get('x-linked-etag') ?? '').replaceAll('"', '');
}

/** What a folder takes on disk. */
export async function bytesIn(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const blocks = await Promise.all(files.map(async (file) => (await stat(file)).blocks));
  return 512 * blocks.reduce((sum, count) => sum + count, 0);
}

/** Looks again and again until something is so; fails when the run that should make it so has ended. */
export async function until(holds: () => boolean | Promise<boolean>, ended: Promise<unknown>): Promise<void> {
  const over = ended.then(() => Promise.reject(new Error('It ended before it could be killed: give --fault-mib more')));
  const look = async () => {
    while (!(await holds())) await delay(10, undefined, { signal: gone.signal });
  };
  const gone = new AbortController();
  await Promise.race([look(), over]).finally(() => {
    gone.abort();
  });
}
