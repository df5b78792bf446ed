/**
 * What it costs to read copies back: files that an earlier commit has already are copied inside the store and then hashed;
 * beside it the copy alone, and the same bytes from a Hub. Everything on this machine's loopback: read the ratios, not the
 * rates. Figures only, nothing is asserted. Run: `npm run bench:copy -- [--files 4] [--mib 256] [--rounds 3]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { MiB } from '../src/core/units.js';
import { openHub } from '../src/hub/open-hub.js';
import { openSource } from '../src/hub/hub-source.js';
import { openStore, type ObjectStore } from '../src/storage/index.js';
import { copyWithin } from '../src/transfer/copy-within.js';
import { createEngine } from '../src/transfer/engine.js';
import { readPolicy } from '../src/transfer/budget/policies.js';
import { startHub, startS3 } from './transfer/programs.js';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '4' },
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
  },
});
const repo = 'bench/model';
const { signal } = new AbortController();
const engine = createEngine({ partSizeBytes: 8 * MiB, lanes: 4, memoryBytes: 256 * MiB });

interface Original {
  readonly path: string;
  readonly size: number;
  readonly etag: string;
  readonly digest: { readonly algorithm: 'sha256'; readonly hex: string };
}

const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-bench-'));
const hub = await startHub(Number(values.files), Number(values.mib) * MiB);
const s3 = await startS3();
Object.assign(process.env, s3.said);

try {
  for (const root of [`${pathToFileURL(folder).href}/`, s3.said['MODEL_PREFETCH_STORE'] ?? '']) {
    const store = await openStore(root);
    await measure(store);
    await store.close();
  }
} finally {
  await hub.stop();
  await s3.stop();
  await rm(folder, { recursive: true, force: true });
}

async function measure(store: ObjectStore): Promise<void> {
  const originals = await bring(store, 'before/');
  const bytes = originals.reduce((sum, { size }) => sum + size, 0);
  const variants: Record<string, (to: string) => Promise<unknown>> = {
    'copy alone': (to) => each(originals, ({ path }) => store.copy(`before/${path}`, to + path, { signal })),
    'copy, read back': (to) =>
      each(originals, ({ path, etag, ...source }) => {
        const copy = { store, from: `before/${path}`, etag, to: to + path, source: { ...source, path } };
        return copyWithin(engine.context, copy, { signal });
      }),
    'from the Hub': (to) => bring(store, to),
  };
  const times = new Map<string, { readonly ms: number; readonly cpuMs: number }[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, run] of Object.entries(variants)) {
      const to = `${String(round)}-${name.replaceAll(/\W+/g, '-')}/`;
      const [began, before] = [performance.now(), process.cpuUsage()];
      await run(to);
      const cpu = process.cpuUsage(before);
      const taken = { ms: performance.now() - began, cpuMs: (cpu.user + cpu.system) / 1000 };
      times.set(name, [...(times.get(name) ?? []), taken]);
      for await (const { key } of store.list(to)) await store.delete(key);
    }
  }
  const kind = store.root.slice(0, store.root.indexOf(':'));
  const baseline = median(times.get('from the Hub') ?? [], 'ms');
  for (const [name, taken] of times) {
    const ms = median(taken, 'ms');
    const perGB = median(taken, 'cpuMs') / 1000 / (bytes / 1e9);
    console.log(
      `${kind}: ${name}: ${(bytes / 1000 / ms).toFixed(0)} MB/s, ${(ms / baseline).toFixed(2)} of the time from the Hub, ` +
        `${perGB.toFixed(2)} CPU s/GB`
    );
  }
}

/** Brings the model from the Hub; what came, as a manifest would say it. */
async function bring(store: ObjectStore, dir: string): Promise<Original[]> {
  const client = openHub({ endpoint: hub.said.url });
  const { commit } = await client.resolveRevision(repo, 'main');
  const moves: Promise<Original>[] = [];
  for await (const file of client.listFiles(repo, commit)) {
    const { path, size, digest } = file;
    if (size === undefined || digest?.algorithm !== 'sha256') throw new Error(`${path} has no SHA-256`);
    const source = openSource(client, { path, size, digest, repo, commit }, { policy: readPolicy(engine.policies) });
    const moved = engine.transferFile({ source, store, key: dir + path, trust: 'replace' }, { signal });
    const { hex } = digest;
    moves.push(moved.then(({ etag }) => ({ path, size, etag, digest: { algorithm: 'sha256', hex } })));
  }
  return Promise.all(moves);
}

/** As a batch moves them: some at once. */
async function each(originals: readonly Original[], work: (original: Original) => Promise<unknown>): Promise<void> {
  await Promise.all(originals.map(work));
}

function median<K extends string>(taken: readonly Readonly<Record<K, number>>[], of: K): number {
  const sorted = taken.map((each) => each[of]).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
