/**
 * What a script does that people write instead of this package (`hf download`, then `aws s3 cp` or `s5cmd`), and what this
 * package does: speed, disk, kills, wrong bytes, two at once. Everything on this machine's loopback: read the ratios, not the
 * rates. Prints the table of the README; figures only, nothing is asserted. Needs the build, and the AWS CLI on PATH.
 * Run: `npm run bench:script -- [--mib 256] [--fault-mib 64]`: the size of each of four files, for speed and for the rest.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { MiB } from '../src/core/units.js';
import { temporalCliPath } from '../test/helpers/temporal.js';
import { openSetting, WEIGHTS } from './script/setting.js';
import { killedHalfWay, killedWhileVisible, placesIn, twice, twoAtOnce, wrongBit } from './script/trials.js';
import { findWays, type Way } from './script/ways.js';

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '256' }, 'fault-mib': { type: 'string', default: '64' } },
});
const large = modelOf('bench/large', Number(values.mib));
const small = modelOf('bench/small', Number(values['fault-mib']));
process.env['TEMPORAL_CLI_PATH'] ??= await temporalCliPath();
const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-bench-'));
const setting = await openSetting({ [large.repo]: Number(values.mib), [small.repo]: Number(values['fault-mib']) });
try {
  const ways = await findWays(setting);
  const columns = [];
  for (const way of ways) columns.push(await measure(way));
  print(ways, columns);
} finally {
  await setting.close();
  await rm(folder, { recursive: true, force: true });
}

function modelOf(repo: string, mib: number) {
  return { repo, bytes: WEIGHTS * mib * MiB, files: WEIGHTS + 2 };
}

/** The cells of one column, by the titles of the rows. */
async function measure(way: Way): Promise<Record<string, string>> {
  const place = placesIn(await mkdtemp(join(folder, 'way-')));
  const onLarge = { setting, model: large, place: inOwnPrefix(way, place) };
  const onSmall = { ...onLarge, model: small };
  const note = (row: string) => {
    console.error(`${way.name}: ${row}`);
  };
  note('speed');
  const speed = await twice(way, onLarge);
  note('killed half-way');
  const killed = await killedHalfWay(way, onLarge);
  note('what a reader sees');
  const seen = way.isOurs ? killed.seen : await killedWhileVisible(way, onLarge);
  note('a wrong bit');
  const bad = await wrongBit(way, onSmall);
  note('two at once');
  const two = await twoAtOnce(way, onSmall);
  return {
    [`${gigabytes(large.bytes)}, from nothing`]: `${speed.seconds.toFixed(1)} s`,
    'local disk at the end': gigabytes(speed.diskBytes),
    'the same again': `${speed.againSeconds.toFixed(1)} s, ${gigabytes(speed.againBytes)} fetched`,
    'killed (`kill -9`) at half of the download, run again': `${percent(killed.fetchedAgainBytes / large.bytes)} of the model fetched twice`,
    'what a reader sees after a kill': describeSeen(way, seen),
    'the CDN sends one wrong bit': `exit code ${String(bad.code)}, the object is ${bad.isRight ? 'right' : 'WRONG'}${bad.hits === 0 ? ' (not hit)' : ''}`,
    'two ask at once': `${two.toFixed(2)} x the model fetched`,
  };
}

/** Each way has prefixes of its own. */
function inOwnPrefix(way: Way, place: ReturnType<typeof placesIn>): ReturnType<typeof placesIn> {
  const name = way.name.replaceAll(/[^a-z0-9]+/g, '-');
  return async () => {
    const { folder: own, prefix } = await place();
    return { folder: own, prefix: `${name}/${prefix}` };
  };
}

function describeSeen(way: Way, seen: readonly string[]): string {
  const weights = seen.filter((key) => key.endsWith('.safetensors')).length;
  const files = `${String(weights)} of ${String(WEIGHTS)} files of weights`;
  if (!way.isOurs) return `${files}, and nothing that says so`;
  return `${files}, ${seen.some((key) => key.endsWith('manifest.json')) ? 'a manifest' : 'no manifest: no Dir yet'}`;
}

function print(ways: readonly Way[], columns: readonly Record<string, string>[]): void {
  const rows = Object.keys(columns[0] ?? {});
  console.log(`\n${new Date().toISOString().slice(0, 10)}, \`npm run bench:script\``);
  console.log(
    `speed with ${gigabytes(large.bytes)} in ${String(WEIGHTS)} files, the rest with ${gigabytes(small.bytes)}\n`
  );
  console.log(`| | ${ways.map(({ name }) => name).join(' | ')} |`);
  console.log(`|---|${ways.map(() => '---|').join('')}`);
  for (const row of rows) console.log(`| ${row} | ${columns.map((cells) => cells[row] ?? '').join(' | ')} |`);
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(2)} GB`;
}

function percent(share: number): string {
  return `${(100 * Math.max(0, share)).toFixed(0)} %`;
}
