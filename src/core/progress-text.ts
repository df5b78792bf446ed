import type { Dir, Phase, PrefetchProgress } from './contract.js';

const PHASES: Readonly<Record<Phase, string>> = {
  authenticate: 'Checking input, token and access',
  plan: 'Planning: what is in the store already?',
  transfer: 'Transferring',
  shard: 'Sharding',
  check: 'Checking that the ranks give back the source',
  publish: 'Checking all objects and writing the manifest',
  done: 'Published',
};

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Markdown for the Temporal UI: what is going on, how far it is, and where the result lies. */
export function describeProgress(progress: PrefetchProgress, dir?: Dir): string {
  const rows: [string, string][] = [
    ['Phase', progress.cacheHit ? 'Published before: cache hit' : PHASES[progress.phase]],
  ];
  if (progress.repo !== undefined) rows.push(['Repo', `\`${progress.repo}\``]);
  if (progress.commit !== undefined) rows.push(['Commit', `\`${progress.commit}\``]);
  if (progress.sharding !== undefined) {
    const { engine, reason, tensorParallelSize, dtype } = progress.sharding;
    rows.push(['Sharding', `tensor parallel ${String(tensorParallelSize)}, ${dtype}, engine ${engine}`]);
    rows.push(['Engine', inCell(reason)]);
  }
  if (progress.fileCount > 0) {
    rows.push(['Files', `${String(progress.filesDone)} of ${String(progress.fileCount)}`]);
    rows.push([
      'Bytes',
      `${formatBytes(progress.bytesDone)} of ${formatBytes(progress.totalBytes)} (${percent(progress)})`,
    ]);
  }
  if (dir !== undefined) rows.push(['Dir', `\`${dir.path}\``]);
  return ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value} |`)].join('\n');
}

/** Text that is not ours must not end the cell, or the table. */
function inCell(text: string): string {
  return text.replaceAll(/[|\r\n`<>]/g, ' ').slice(0, 300);
}

/** Bytes for people, in binary units: `1.5 GiB`. */
export function formatBytes(bytes: number): string {
  let [amount, power] = [bytes, 0];
  const shown = () => (power === 0 ? String(Math.round(amount)) : amount.toFixed(1));
  // By what is shown: nobody reads 1024.0 KiB.
  while (Number(shown()) >= 1024 && power < UNITS.length - 1) [amount, power] = [amount / 1024, power + 1];
  return `${shown()} ${UNITS[power] ?? 'B'}`;
}

function percent({ bytesDone, totalBytes }: PrefetchProgress): string {
  return totalBytes === 0 ? '100 %' : `${String(Math.floor((bytesDone / totalBytes) * 100))} %`;
}

/** A number and what it counts: `1 file`, `14 files`. */
export function counted(count: number, what: string): string {
  return `${String(count)} ${what}${count === 1 ? '' : 's'}`;
}
