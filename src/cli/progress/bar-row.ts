import { amountOf, percent } from './figures.js';
import type { Moment } from './moment.js';
import { figures, hasAmounts, progressLine, progressPhase } from './progress-line.js';

const LEAST_BAR = 6;
const SHORTEST_BAR = 4;

/** A figure, and the room that is kept for it: the bar must not move as figures grow and shrink. */
interface Figure {
  readonly text: string;
  readonly room: number;
}

/**
 * A moment as one row of a terminal: the bar takes what the figures leave. What does not fit is left out whole, first the
 * files, then the time left, the rate, the bar, the amount; so no row is ever wrapped or cut in a word.
 */
export function barRow(moment: Moment, { columns, label = '' }: { columns: number; label?: string }): string {
  const width = columns - 1;
  const head = label === '' ? '' : `${label}  `;
  const { progress } = moment;
  if (progress.phase === 'done' || progress.cacheHit || !hasAmounts(progress)) {
    return firstThatFits(candidates(head, progressLine(moment)), width);
  }
  const phase = progressPhase(progress.phase);
  const all = allFigures(moment);
  for (let count = all.length; count >= 2; count--) {
    const row = withBar(`${head}${phase}`, all.slice(0, count), { moment, width, least: LEAST_BAR });
    if (row !== undefined) return row;
  }
  const [share, amounts] = [all.slice(0, 1), all.slice(0, 2)].map((some) => some.map(({ text }) => text).join('  '));
  return (
    withBar(`${head}${phase}`, all.slice(0, 2), { moment, width, least: SHORTEST_BAR }) ??
    firstThatFits(
      [
        `${head}${phase}  ${amounts ?? ''}`,
        `${head}${amounts ?? ''}`,
        `${head}${phase}  ${share ?? ''}`,
        `${head}${share ?? ''}`,
      ],
      width
    )
  );
}

function allFigures(moment: Moment): Figure[] {
  const { bytesDone, totalBytes, fileCount, phase } = moment.progress;
  const { rate, left, files } = figures(moment);
  const measures = phase === 'publish' ? 0 : 9;
  const counts = `${String(fileCount)} of ${String(fileCount)} files`;
  return [
    { text: percent(bytesDone, totalBytes).padStart(5), room: 5 },
    { text: amountOf(bytesDone, totalBytes), room: amountOf(totalBytes, totalBytes).length },
    { text: rate ?? '', room: measures },
    { text: left ?? '', room: measures },
    { text: files ?? '', room: moment.progress.sharding === undefined ? counts.length : 0 },
  ];
}

function withBar(
  head: string,
  some: readonly Figure[],
  { moment, width, least }: { moment: Moment; width: number; least: number }
): string | undefined {
  const kept = some.filter(({ text, room }) => room > 0 || text !== '');
  const room = kept.reduce((sum, figure) => sum + 1 + Math.max(figure.room, figure.text.length), 0);
  // A blank around the bar, and one more before each figure.
  const length = width - head.length - 1 - room - (kept.length - 1);
  if (length < least) return undefined;
  const { bytesDone, totalBytes } = moment.progress;
  const full = totalBytes === 0 ? length : Math.floor((bytesDone / totalBytes) * length);
  const texts = kept.filter(({ text }) => text !== '').map(({ text }) => text);
  return `${head} ${'█'.repeat(full)}${'░'.repeat(length - full)} ${texts.join('  ')}`;
}

/** The line, and shorter forms of it: without what stands in brackets, without all but its first words. */
function candidates(head: string, line: string): string[] {
  const short = line.replace(/ \(.*$/, '');
  return [`${head}${line}`, `${head}${short}`, `${head}${/^[^:]*/.exec(short)?.[0] ?? ''}`];
}

function firstThatFits(rows: readonly string[], width: number): string {
  return rows.find((row) => row.length <= width) ?? (rows.at(-1) ?? '').slice(0, Math.max(0, width));
}

/** A name in so much room: without its owner, and then cut, where it is longer. */
export function shortLabel(label: string, room: number): string {
  if (label.length <= room) return label;
  const name = label.slice(label.lastIndexOf('/') + 1);
  return name.length < room ? `…${name}` : `${name.slice(0, Math.max(1, room - 1))}…`;
}
