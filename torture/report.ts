import { appendFile, readFile } from 'node:fs/promises';
import type { RoundRecord } from './round/record.js';

/** Records of a seed that a report holds already; a line that was cut off by a kill is passed over. */
export async function readReport(file: string, seed: number): Promise<RoundRecord[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const lines = text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as RoundRecord];
    } catch {
      return [];
    }
  });
  return lines.filter((record) => record.seed === seed);
}

/** Adds a line; the break comes first too, so that a torn line before it spoils itself only. */
export async function addToReport(file: string, record: RoundRecord): Promise<void> {
  await appendFile(file, `\n${JSON.stringify(record)}\n`);
}

/** One Markdown table of all rounds: a row for each store and scenario, and one for all. */
export function summarise(records: readonly RoundRecord[]): string {
  const groups = new Map<string, RoundRecord[]>();
  for (const record of records) {
    const name = `${record.store} | ${record.scenario}`;
    groups.set(name, [...(groups.get(name) ?? []), record]);
  }
  const rows = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '| Store | Scenario | Rounds | Kills | Stops | Faults | Retries | Reader checks | Violations | Refetched per loss, MiB (median, max) | s per round |',
    '| --- | --- | --: | --: | --: | --: | --: | --: | --: | --: | --: |',
    ...[...rows.map(([name, group]) => row(name, group)), row('all | all', records)],
  ].join('\n');
}

function row(name: string, records: readonly RoundRecord[]): string {
  const sum = (count: (record: RoundRecord) => number) => records.reduce((total, record) => total + count(record), 0);
  const cells = [
    records.length,
    sum(({ kills, terms, servers }) => kills + terms + servers),
    sum(({ stops }) => stops),
    sum(({ faults }) => faults),
    sum(({ retries }) => retries),
    sum(({ checks }) => checks),
    sum(({ violations }) => violations.length),
    refetched(records),
    (sum(({ ms }) => ms) / records.length / 1000).toFixed(1),
  ];
  return `| ${name} | ${cells.join(' | ')} |`;
}

function refetched(records: readonly RoundRecord[]): string {
  const perLoss = records
    .flatMap(({ refetchedBytes, kills, terms, servers, stops }) => {
      const losses = kills + terms + servers + stops;
      return refetchedBytes === undefined || losses === 0 ? [] : refetchedBytes / losses;
    })
    .sort((a, b) => a - b);
  const middle = perLoss[Math.floor(perLoss.length / 2)];
  if (middle === undefined) return '';
  return `${mib(middle)}, ${mib(perLoss.at(-1) ?? 0)}`;
}

function mib(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
