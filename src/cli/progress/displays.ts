import cliProgress from 'cli-progress';
import type { CliStream } from '../context.js';
import { amounts, engineLine, progressLine, progressPhase, waiting, type Moment } from './progress-line.js';

/** Shows progress to people; `end` leaves the terminal as it was. */
export interface ProgressDisplay {
  update(moment: Moment, nowMs: number): void;
  /** A line that is no progress. */
  tell(line: string): void;
  end(): void;
}

const LINE_EVERY_MS = 5_000;

/** A bar where there is a terminal, lines otherwise. */
export function progressDisplay(stream: CliStream): ProgressDisplay {
  return stream.isTTY === true ? barDisplay(stream) : lineDisplay(stream);
}

/** A line at each change of phase, at each new reason to wait, and every few seconds while bytes move. */
export function lineDisplay(stream: Pick<CliStream, 'write'>): ProgressDisplay {
  let lastKey = '';
  let lastEngine: string | undefined;
  let lastLine = '';
  let lastMs = -Infinity;
  return {
    update: (moment, nowMs) => {
      const { phase, cacheHit, waiting: pause } = moment.progress;
      const key = `${phase} ${String(cacheHit)} ${String(pause?.attempt)} ${pause?.message ?? ''}`;
      const line = progressLine(moment);
      const engine = engineLine(moment.progress);
      if (engine !== undefined && engine !== lastEngine) stream.write(`${engine}\n`);
      lastEngine = engine ?? lastEngine;
      if (line === lastLine || (key === lastKey && nowMs - lastMs < LINE_EVERY_MS)) return;
      [lastKey, lastLine, lastMs] = [key, line, nowMs];
      stream.write(`${line}\n`);
    },
    tell: (line) => {
      stream.write(`${line}\n`);
    },
    end: () => undefined,
  };
}

/** One bar, drawn once the plan has told how much there is; before that, and around it, lines. */
function barDisplay(stream: CliStream): ProgressDisplay {
  const lines = lineDisplay(stream);
  let bar: cliProgress.SingleBar | undefined;
  let phase = '';
  let lastEngine: string | undefined;
  let pause = '';
  return {
    update: (moment, nowMs) => {
      const { progress } = moment;
      if (progress.totalBytes === 0 || progress.cacheHit) {
        lines.update(moment, nowMs);
        return;
      }
      const engine = engineLine(progress);
      const isNew = engine !== undefined && engine !== lastEngine;
      // Sharding and checking have amounts of their own.
      if (bar !== undefined && (bar.getTotal() !== progress.totalBytes || isNew)) {
        bar.stop();
        bar = undefined;
      }
      if (progress.phase !== phase && bar === undefined) stream.write(`${progressPhase(progress.phase)}\n`);
      if (isNew) stream.write(`${engine}\n`);
      lastEngine = engine ?? lastEngine;
      phase = progress.phase;
      bar ??= startBar(stream, progress.totalBytes);
      const text = progress.waiting === undefined ? '' : waiting(progress.waiting);
      if (text !== '' && text !== pause) stream.write(`\n${text}\n`);
      pause = text;
      bar.update(Math.min(progress.bytesDone, progress.totalBytes), { amounts: amounts(moment) });
    },
    tell: (line) => {
      stream.write(bar === undefined ? `${line}\n` : `\n${line}\n`);
    },
    end: () => bar?.stop(),
  };
}

function startBar(stream: CliStream, totalBytes: number): cliProgress.SingleBar {
  const bar = new cliProgress.SingleBar(
    { stream, format: '{bar} {amounts}', barsize: 24, hideCursor: true, gracefulExit: false, fps: 4, linewrap: false },
    cliProgress.Presets.shades_classic
  );
  bar.start(totalBytes, 0, { amounts: '' });
  return bar;
}
