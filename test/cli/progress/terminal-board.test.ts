import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { LiveProgress } from '../../../src/client.js';
import { terminalBoard } from '../../../src/cli/progress/terminal-board.js';

const MiB = 1024 ** 2;
const progress: LiveProgress = {
  phase: 'transfer',
  fileCount: 14,
  totalBytes: 400 * MiB,
  filesDone: 3,
  bytesDone: 100 * MiB,
  cacheHit: false,
};
const waiting = {
  activity: 'streamFiles',
  activityId: 'batch-0',
  attempt: 1,
  message: 'paused by alice: the network is needed for something that is more urgent than this',
  reason: 'paused',
  advice: 'it goes on once it is unpaused',
  command: 'temporal activity unpause --workflow-id prefetch/org/m@main/0123456789ab --activity-id batch-0',
} as const;

describe('terminalBoard', () => {
  it('draws one row in its place, and leaves it and the cursor at the end', () => {
    const screen = terminal(60);
    const board = terminalBoard(screen.stream);
    const display = board.display();
    for (const bytesDone of [100, 200, 300])
      display.update({ progress: { ...progress, bytesDone: bytesDone * MiB } }, 0);
    expect(screen.rows()).toEqual([expect.stringMatching(/^Transferring █+░+ {2}75 % {2}300 of 400 MiB/)]);
    expect(screen.cursorIsShown()).toBe(false);
    display.tell('something else');
    display.end();
    board.end();
    expect(screen.rows().map((row) => row.slice(0, 12))).toEqual(['something el', 'Transferring']);
    expect(screen.cursorIsShown()).toBe(true);
  });

  it('tells under the bar why it waits, whole, and the command in one piece', () => {
    const screen = terminal(60);
    const board = terminalBoard(screen.stream);
    board.display().update({ progress: { ...progress, waiting } }, 0);
    const text = screen.rows().slice(1).join('');
    expect(text.replaceAll(/\s+/g, ' ')).toContain('more urgent than this; it goes on once it is unpaused');
    expect(text).toContain(waiting.command);
    board.end();
    expect(screen.rows()).toHaveLength(1);
  });

  it('gives each run a row of its own, and shows no more than there is room for', () => {
    const screen = terminal(80, 6);
    const board = terminalBoard(screen.stream);
    for (let run = 0; run < 9; run++) board.display(`org/model-${String(run)}`).update({ progress }, 0);
    expect(screen.rows().map((row) => row.slice(0, 11))).toEqual([
      ...['org/model-0', 'org/model-1', 'org/model-2', 'org/model-3'],
      'and 5 more',
    ]);
    board.end();
  });

  it('draws anew when the terminal gets narrower, and leaves nothing of the wider rows', () => {
    const screen = terminal(100);
    const board = terminalBoard(screen.stream);
    board.display().update({ progress }, 0);
    screen.resize(40);
    expect(screen.rows()).toEqual([expect.stringMatching(/^Transferring █░+ {2}25 % {2}100 of 400 MiB$/)]);
    board.end();
  });
});

/** As much of a terminal as is needed: it breaks long lines anew when it is resized, as most do. */
function terminal(columns: number, height = 24) {
  let lines: string[] = [''];
  let [at, isShown] = [0, true];
  let width = columns;
  const broken = () => lines.flatMap((line) => line.match(new RegExp(`.{1,${String(width)}}`, 'gu')) ?? ['']);
  const write = (text: string) => {
    // eslint-disable-next-line no-control-regex
    for (const [token, up] of text.matchAll(/\u001B\[(\d+)A|\u001B\[[?\d]*[A-Za-z]|\n|\r|[^\u001B\n\r]+/g)) {
      if (up !== undefined) {
        lines = broken();
        at = lines.length - 1 - Number(up);
      } else if (token === '\u001B[J') lines = [...lines.slice(0, at), ''];
      else if (token === '\u001B[?25l') isShown = false;
      else if (token === '\u001B[?25h') isShown = true;
      else if (token === '\n') {
        at += 1;
        lines[at] ??= '';
      } else if (token !== '\r' && !token.startsWith('\u001B')) lines[at] = `${lines[at] ?? ''}${token}`;
    }
  };
  const stream = Object.assign(
    new Writable({
      decodeStrings: false,
      write: (chunk: string, _encoding, done) => {
        write(chunk);
        done();
      },
    }),
    { isTTY: true, columns, rows: height }
  );
  return {
    stream,
    rows: () => broken().filter((row) => row !== ''),
    cursorIsShown: () => isShown,
    resize: (next: number) => {
      width = next;
      stream.columns = next;
      stream.emit('resize');
    },
  };
}
