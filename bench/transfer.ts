/**
 * How fast a model moves from a Hub to S3: `curl | curl`, `hf download` and then `s5cmd`, and this package; also into a
 * folder. Everything on this machine's loopback: read the ratios, not the rates. Figures only, nothing is asserted.
 * Run: `npm run bench -- [--files 4] [--mib 256] [--rounds 3] [--lanes 8] [--part-mib 8] [--memory-mib 256]`.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { MiB } from '../src/core/units.js';
import { openHub } from '../src/hub/open-hub.js';
import { openStore } from '../src/storage/index.js';
import { pythonHub, pythonHubEnvironment } from '../test/helpers/python-hub.js';
import { ensureS5cmd, run, startHub, startS3 } from './transfer/programs.js';

interface Measured {
  readonly ms: number;
  readonly cpuMs?: number;
  readonly maxRssMiB?: number;
  readonly slabPeakMiB?: number;
}

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '4' },
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    lanes: { type: 'string', default: '8' },
    'part-mib': { type: 'string', default: '8' },
    'memory-mib': { type: 'string', default: '256' },
  },
});
const bytes = Number(values.files) * Number(values.mib) * MiB;
const repo = 'bench/model';
const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-bench-'));
const python = await pythonHub();
const s5cmd = await ensureS5cmd().catch(() => undefined);
const hub = await startHub(Number(values.files), Number(values.mib) * MiB);
const s3 = await startS3();
Object.assign(process.env, s3.said);
const root = s3.said['MODEL_PREFETCH_STORE'] ?? '';
const hubEnvironment = pythonHubEnvironment({ url: hub.said.url, home: join(folder, 'hf') });
const environment = { ...hubEnvironment, ...s3.said };

const variants: Record<string, (round: number) => Promise<Measured>> = {
  'curl | curl': (round) => intoS3(`curl-${String(round)}/`, curlToCurl),
  'ours to s3://': (round) => ours(`${root}ours-${String(round)}/`),
  'ours to file://': (round) => ours(pathToFileURL(join(folder, `ours-${String(round)}`)).href + '/'),
};
if (python !== undefined && s5cmd !== undefined) {
  variants['hf download + s5cmd'] = (round) =>
    intoS3(`s5cmd-${String(round)}/`, (prefix) => hfThenS5cmd(python.hf, s5cmd, prefix));
} else console.log('hf download + s5cmd: left out, Python 3.10 with venv and pip is missing');

try {
  const results = new Map<string, Measured[]>();
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, measure] of Object.entries(variants)) {
      const measured = await measure(round);
      results.set(name, [...(results.get(name) ?? []), measured]);
      console.log(`round ${String(round + 1)}: ${name}: ${rate(measured.ms)} MB/s`);
    }
  }
  report(results);
} finally {
  await hub.stop();
  await s3.stop();
  await rm(folder, { recursive: true, force: true });
}

/** One pipe per file, one file after the other, the second curl signing for S3. */
async function curlToCurl(prefix: string): Promise<void> {
  const source = openHub({ endpoint: hub.said.url });
  const { commit } = await source.resolveRevision(repo, 'main');
  const endpoint = s3.said['AWS_ENDPOINT_URL_S3'] ?? '';
  const user = `${s3.said['AWS_ACCESS_KEY_ID'] ?? ''}:${s3.said['AWS_SECRET_ACCESS_KEY'] ?? ''}`;
  for await (const file of source.listFiles(repo, commit)) {
    const get = `curl -sSfL '${hub.said.url}/${repo}/resolve/${commit}/${file.path}'`;
    const put =
      `curl -sSf -X PUT --aws-sigv4 aws:amz:us-east-1:s3 --user '${user}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' ` +
      `-H 'Transfer-Encoding:' -H 'Expect:' -H 'Content-Length: ${String(file.size)}' -T - ` +
      `'${endpoint}/models/${prefix}${file.path}'`;
    await run('bash', ['-o', 'pipefail', '-c', `${get} | ${put}`]);
  }
}

async function hfThenS5cmd(hf: string, program: string, prefix: string): Promise<void> {
  const target = join(folder, prefix);
  await run(hf, ['download', repo, '--local-dir', target], { env: environment, maxBuffer: 64 * MiB });
  const endpoint = s3.said['AWS_ENDPOINT_URL_S3'] ?? '';
  const args = ['--endpoint-url', endpoint, 'cp', '--exclude', '.cache/*', target, `s3://models/${prefix}`];
  await run(program, args, { env: environment, maxBuffer: 64 * MiB });
}

async function ours(destination: string): Promise<Measured> {
  const script = fileURLToPath(new URL('transfer/ours-process.ts', import.meta.url));
  const settings = [values.lanes, values['part-mib'], values['memory-mib']];
  const args = ['--import', 'tsx', script, hub.said.url, destination, ...settings];
  const { stdout } = await run(process.execPath, args, { env: { ...process.env, ...s3.said } });
  const measured = JSON.parse(stdout) as Measured & { readonly bytes: number };
  if (measured.bytes !== bytes) throw new Error(`Ours moved ${String(measured.bytes)} of ${String(bytes)} bytes`);
  if (destination.startsWith('s3:')) await emptyS3(destination.slice(root.length), Number(values.files));
  else await rm(fileURLToPath(destination), { recursive: true, force: true });
  return measured;
}

/** Checks that all files are there, and removes them. */
async function emptyS3(prefix: string, files: number): Promise<void> {
  const store = await openStore(root);
  const found: string[] = [];
  let size = 0;
  for await (const object of store.list(prefix)) {
    found.push(object.key);
    size += object.size;
  }
  if (found.length !== files || size !== bytes)
    throw new Error(`${prefix} has ${String(size)} of ${String(bytes)} bytes`);
  for (const key of found) await store.delete(key);
  await store.close();
}

/** Times what fills a prefix, then checks and empties it. */
async function intoS3(prefix: string, fill: (prefix: string) => Promise<void>): Promise<Measured> {
  const began = performance.now();
  await fill(prefix);
  const ms = performance.now() - began;
  await emptyS3(prefix, Number(values.files));
  await rm(join(folder, prefix), { recursive: true, force: true });
  return { ms };
}

function report(results: ReadonlyMap<string, readonly Measured[]>): void {
  const base = median((results.get('curl | curl') ?? []).map(({ ms }) => ms));
  const gigabytes = bytes / 1e9;
  console.log(`\n${gigabytes.toFixed(2)} GB in ${values.files} files, medians of ${values.rounds} rounds`);
  console.log(`ours: ${values.lanes} lanes, parts of ${values['part-mib']} MiB, ${values['memory-mib']} MiB of memory`);
  for (const [name, runs] of results) {
    const ms = median(runs.map((one) => one.ms));
    const cpu = median(runs.flatMap(({ cpuMs }) => cpuMs ?? []));
    const rss = Math.max(...runs.flatMap(({ maxRssMiB }) => maxRssMiB ?? []));
    const slabs = Math.max(...runs.flatMap(({ slabPeakMiB }) => slabPeakMiB ?? []));
    const own = Number.isNaN(cpu)
      ? ''
      : `, ${(cpu / 1000 / gigabytes).toFixed(2)} CPU s/GB, ${rss.toFixed(0)} MiB max RSS, ${slabs.toFixed(0)} MiB of slabs`;
    console.log(`${name.padEnd(20)} ${rate(ms)} MB/s, ${(base / ms).toFixed(2)} x curl | curl${own}`);
  }
}

function rate(ms: number): string {
  return (bytes / 1e3 / ms).toFixed(0).padStart(5);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
