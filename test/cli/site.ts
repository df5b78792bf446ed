import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { compact } from '../../src/core/compact.js';
import { startDevHub, type DevHub, type DevHubOptions, type Intercept } from '../../src/dev-hub/index.js';
import { findProcesses } from '../../src/embedded/processes.js';
import { tmpFolder } from '../helpers/tmp.js';

const MiB = 1024 * 1024;

export interface Site {
  readonly hub: DevHub;
  readonly env: Readonly<Record<'HF_ENDPOINT' | 'MODEL_PREFETCH_HOME', string>>;
}

/** A Hub with a small model and a dataset of the same name, and a home that does not exist yet. */
export async function site(intercept?: Intercept, tokens?: DevHubOptions['tokens']): Promise<Site> {
  const home = join(await tmpFolder(), 'home');
  const files = {
    'config.json': { bytes: Buffer.from('{}') },
    'model.safetensors': { size: 12 * MiB, seed: 'weights' },
    'sub/a.txt': { bytes: Buffer.from('deep') },
  };
  const hub = await startDevHub({
    repos: [
      { id: 'org/tiny', commits: [{ files }] },
      { id: 'datasets/org/tiny', commits: [{ files: { 'data/train.csv': { bytes: Buffer.from('a,b\n') } } }] },
    ],
    ...compact({ intercept, tokens }),
  });
  onTestFinished(() => hub.close());
  return { hub, env: { HF_ENDPOINT: hub.url, MODEL_PREFETCH_HOME: home } };
}

/** The Temporal server of a home, and the process that watches it. */
export async function serversOf(home: string): Promise<number[]> {
  return findProcesses(['--db-filename', join(home, 'temporal', 'temporal.db')]);
}
