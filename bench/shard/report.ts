import type { Moment } from './ours-process.js';
import type { Measured, Variant } from './variants.js';

/** All rounds of one variant. */
export interface Results {
  readonly variant: Variant;
  readonly runs: readonly Measured[];
}

const LEAST_BEFORE_CHECK = 0.7;
const LEAST_WITH_CHECK = 0.4;
const MOST_RSS_MIB = 256;

/** Prints the medians of a store as a table, and which bars they meet; what is compared with is the fastest plain copy. */
export function report(store: string, bytes: number, results: readonly Results[]): void {
  const copies = results.filter(({ variant }) => variant.kind === 'plain').map((one) => summarise(one, bytes));
  const fastest = Math.min(...copies.map(({ ms }) => ms));
  console.log(
    `\n${store}, ${(bytes / 1e9).toFixed(2)} GB of weights, medians of rounds, RSS and engine the most of any`
  );
  const columns = ['MB/s', ...copies.map(({ name }) => `x ${name}`), 'CPU s/GB', 'x read', 'RSS MiB', 'engine MiB'];
  print('', columns, columns);
  for (const { name, ms } of copies) print(name, [rate(bytes, ms)], columns);
  const ours = results.filter(({ variant }) => variant.kind !== 'plain').map((one) => summarise(one, bytes));
  for (const one of ours) {
    for (const { name, ms, cpuPerGB, read } of one.stages) {
      const ratios = copies.map((copy) => (copy.ms / ms).toFixed(2));
      const memory = [one.rssMiB.toFixed(0), one.engineMiB.toFixed(0)];
      print(name, [rate(bytes, ms), ...ratios, cpuPerGB.toFixed(2), read.toFixed(2), ...memory], columns);
    }
  }
  for (const one of ours) if (one.stages.length > 1) reportBars(one, fastest);
}

interface Stage {
  readonly name: string;
  readonly ms: number;
  readonly cpuPerGB: number;
  /** What was read, as a multiple of the source. */
  readonly read: number;
}

interface Summary {
  readonly name: string;
  readonly ms: number;
  /** Before the check and with it, or one of all. */
  readonly stages: readonly Stage[];
  /** Above idle. */
  readonly rssMiB: number;
  readonly engineMiB: number;
}

function summarise({ variant: { name }, runs }: Results, bytes: number): Summary {
  const ours = runs.flatMap((run) => run.ours ?? []);
  const stage = (when: string, moments: readonly Moment[]): Stage => ({
    name: `${name}${when}`,
    ms: median(moments.map(({ ms }) => ms)),
    cpuPerGB: median(moments.map(({ cpuMs }) => cpuMs)) / 1000 / (bytes / 1e9),
    read: median(moments.flatMap(({ readBytes }) => readBytes ?? [])) / bytes,
  });
  const done = ours.map((one) => one.done);
  const written = ours.flatMap((one) => one.written ?? []);
  return {
    name,
    ms: median(runs.map(({ ms }) => ms)),
    stages: written.length === 0 ? [stage('', done)] : [stage(', before the check', written), stage(', with it', done)],
    rssMiB: Math.max(...ours.map(({ maxRssMiB, idleRssMiB }) => maxRssMiB - idleRssMiB)),
    engineMiB: Math.max(...ours.map(({ enginePeakMiB }) => enginePeakMiB)),
  };
}

function reportBars({ name, stages: [before, withCheck], rssMiB }: Summary, fastest: number): void {
  if (before === undefined || withCheck === undefined) return;
  const ratio = (stage: Stage, least: number): void => {
    const got = fastest / stage.ms;
    bar(got >= least, `${stage.name}: ${got.toFixed(2)} x the fastest plain copy, at least ${String(least)}`);
  };
  ratio(before, LEAST_BEFORE_CHECK);
  ratio(withCheck, LEAST_WITH_CHECK);
  bar(rssMiB <= MOST_RSS_MIB, `${name}: ${rssMiB.toFixed(0)} MiB above idle, at most ${String(MOST_RSS_MIB)}`);
  const read = before.read.toFixed(2);
  bar(read === '1.00', `${before.name}: ${read} x the source was read, exactly 1.00`);
}

function bar(met: boolean, text: string): void {
  console.log(`${met ? 'met    ' : 'NOT MET'} ${text}`);
}

function print(name: string, cells: readonly string[], columns: readonly string[]): void {
  const padded = cells.map((cell, index) => cell.padStart((columns[index]?.length ?? 0) + 2));
  console.log(`${name.padEnd(32)}${padded.join('')}`);
}

function rate(bytes: number, ms: number): string {
  return (bytes / 1e3 / ms).toFixed(0);
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? Number.NaN) + (sorted[sorted.length >> 1] ?? Number.NaN)) / 2;
}
