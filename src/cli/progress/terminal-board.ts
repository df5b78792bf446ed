import { withoutSecrets } from '../../core/foreign-text.js';
import { coloursOf } from '../colours.js';
import type { CliStream } from '../context.js';
import { wrapWords } from '../word-wrap.js';
import { barRow, shortLabel } from './bar-row.js';
import type { ProgressBoard, ProgressDisplay } from './displays.js';
import { columnsOf, heightOf, LiveBlock } from './live-block.js';
import type { Moment } from './moment.js';
import { onceLines } from './progress-line.js';
import { waitingText } from './waiting-text.js';

/** One run of a board. */
interface Slot {
  readonly label: string | undefined;
  moment?: Moment;
  isOver: boolean;
  hasFailed: boolean;
}

/** A bar for each run that is redrawn in its place, with the reason below it where one waits. */
export function terminalBoard(stream: CliStream): ProgressBoard {
  const block = new LiveBlock(stream);
  const slots: Slot[] = [];
  const draw = (above: readonly string[] = []): void => {
    const lines = above.flatMap((line) => wrapWords(withoutSecrets(line), columnsOf(stream)));
    block.draw(visibleRows(slots, stream), lines);
  };
  const onResize = (): void => {
    draw();
  };
  stream.on('resize', onResize);
  return {
    display: (label) => {
      const slot: Slot = { label, isOver: false, hasFailed: false };
      slots.push(slot);
      return slotDisplay(slot, draw);
    },
    end: () => {
      stream.off('resize', onResize);
      block.end(slots.flatMap((slot) => slotRows(slot, slots, stream).slice(0, 1)));
    },
  };
}

function slotDisplay(slot: Slot, draw: (above?: readonly string[]) => void): ProgressDisplay {
  const told = new Set<string>();
  const prefixed = (line: string): string => (slot.label === undefined ? line : `${slot.label}: ${line}`);
  return {
    update: (moment) => {
      slot.moment = moment;
      const news = onceLines(moment).filter((line) => !told.has(line));
      for (const line of news) told.add(line);
      draw(news.map(prefixed));
    },
    tell: (line) => {
      draw([prefixed(line)]);
    },
    end: (how) => {
      slot.isOver = true;
      slot.hasFailed = how === 'failed';
    },
  };
}

/** No more rows than a terminal can show at once, for what has left it upwards cannot be drawn again. */
function visibleRows(slots: readonly Slot[], stream: CliStream): string[] {
  const [columns, most] = [columnsOf(stream), (stream.rows ?? 24) - 2];
  // What moves comes first where not all have room.
  const inOrder = [...slots.filter(({ isOver }) => !isOver), ...slots.filter(({ isOver }) => isOver)];
  const all = new Map(slots.map((slot) => [slot, slotRows(slot, slots, stream)]));
  const shown = new Set<Slot>();
  let height = 0;
  for (const slot of inOrder) {
    height += (all.get(slot) ?? []).reduce((sum, row) => sum + heightOf(row, columns), 0);
    if (height > most && shown.size > 0) break;
    shown.add(slot);
  }
  const rows = slots.filter((slot) => shown.has(slot)).flatMap((slot) => all.get(slot) ?? []);
  const left = slots.length - shown.size;
  return left === 0 ? rows : [...rows, `and ${String(left)} more`];
}

function slotRows({ label, moment, isOver, hasFailed }: Slot, slots: readonly Slot[], stream: CliStream): string[] {
  const columns = columnsOf(stream);
  const { bad, good, dim } = coloursOf(stream);
  const name = label === undefined ? '' : column(label, slots, columns);
  if (hasFailed) return [`${name}  ${bad('Failed')}`];
  if (moment === undefined) return [];
  const row = barRow(moment, { columns, label: name });
  const { waiting, phase } = moment.progress;
  if (isOver || waiting === undefined) return [phase === 'done' ? good(row) : row];
  const why = wrapWords(`  ${withoutSecrets(waitingText(waiting))}`, columns);
  return [row, ...why, ...(waiting.command === undefined ? [] : [dim(`  ${waiting.command}`)])];
}

/** Labels stand in a column, no wider than a third of the terminal. */
function column(label: string, slots: readonly Slot[], columns: number): string {
  const longest = Math.max(...slots.map((slot) => slot.label?.length ?? 0));
  const room = Math.min(longest, Math.floor(columns / 3));
  return shortLabel(label, room).padEnd(room);
}
