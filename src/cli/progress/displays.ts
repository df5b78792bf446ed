import { isDumbTerminal } from '../../config/terminal.js';
import { withoutSecrets } from '../../core/foreign-text.js';
import type { CliStream } from '../context.js';
import { terminalBoard } from './terminal-board.js';
import type { Moment } from './moment.js';
import { onceLines, progressLine } from './progress-line.js';
import { waitingText } from './waiting-text.js';

/** Shows the progress of one run to people. */
export interface ProgressDisplay {
  update(moment: Moment, nowMs: number): void;
  /** A line that is no progress. */
  tell(line: string): void;
  /** Nothing more comes of this run. */
  end(how?: 'failed'): void;
}

/** Shows the progress of one run or several. */
export interface ProgressBoard {
  /** The place of a run; its label tells it from the others. */
  display(label?: string): ProgressDisplay;
  /** Leaves the terminal as it was. */
  end(): void;
}

const LINE_EVERY_MS = 5_000;

/** Bars where there is a terminal that can draw, lines otherwise. */
export function progressBoard(stream: CliStream): ProgressBoard {
  if (stream.isTTY === true && !isDumbTerminal()) return terminalBoard(stream);
  return {
    display: (label) => lineDisplay(stream, label),
    end: () => undefined,
  };
}

/** The display of a command that shows one run only; its end leaves the terminal as it was. */
export function progressDisplay(stream: CliStream): ProgressDisplay {
  const board = progressBoard(stream);
  const display = board.display();
  return {
    ...display,
    end: () => {
      display.end();
      board.end();
    },
  };
}

/** A line at each change of phase, at each new reason to wait, and every few seconds while bytes move. */
export function lineDisplay(stream: Pick<CliStream, 'write'>, label?: string): ProgressDisplay {
  const once = new Set<string>();
  let last = { key: '', line: '', atMs: -Infinity };
  let pause = { text: '', atMs: -Infinity };
  const tell = (line: string): void => {
    stream.write(`${label === undefined ? '' : `${label}: `}${withoutSecrets(line)}\n`);
  };
  const tellPause = ({ progress: { waiting } }: Moment, nowMs: number): void => {
    // What waits says so at once, and then only what is new, for it may be tried again every second.
    if (waiting === undefined) pause = { text: '', atMs: pause.text === '' ? -Infinity : pause.atMs };
    if (waiting === undefined || nowMs - pause.atMs < LINE_EVERY_MS) return;
    const { activity, attempt, message, nextTryAt = '' } = waiting;
    const text = `${activity} ${String(attempt)} ${message} ${nextTryAt}`;
    if (text === pause.text) return;
    pause = { text, atMs: nowMs };
    tell(waitingText(waiting));
    if (waiting.command !== undefined) tell(`  ${waiting.command}`);
  };
  return {
    update: (moment, nowMs) => {
      for (const line of onceLines(moment)) {
        if (!once.has(line)) tell(line);
        once.add(line);
      }
      const key = `${moment.progress.phase} ${String(moment.progress.cacheHit)}`;
      const line = progressLine(moment);
      if (line !== last.line && (key !== last.key || nowMs - last.atMs >= LINE_EVERY_MS)) {
        last = { key, line, atMs: nowMs };
        tell(line);
      }
      tellPause(moment, nowMs);
    },
    tell,
    end: () => undefined,
  };
}
