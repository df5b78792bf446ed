import type { CliStream } from '../context.js';

const HIDE_CURSOR = '\u001B[?25l';
const SHOW_CURSOR = '\u001B[?25h';
const CLEAR_BELOW = '\r\u001B[J';

/**
 * Rows at the end of what a terminal shows that are drawn over and over. The cursor waits on the line below them, and is
 * shown again at the end, however the process ends.
 */
export class LiveBlock {
  readonly #stream: CliStream;
  #rows: readonly string[] = [];
  #isHidden = false;

  constructor(stream: CliStream) {
    this.#stream = stream;
  }

  /** Draws these rows in the place of the last ones, with lines that stay above them. */
  draw(rows: readonly string[], above: readonly string[] = []): void {
    const text = [...above, ...rows].map((row) => `${row}\n`).join('');
    this.#stream.write(`${this.#hide()}${this.#back()}${text}`);
    this.#rows = rows;
  }

  /** Leaves these rows on the screen, and the terminal as it was. */
  end(rows: readonly string[]): void {
    if (this.#rows.length > 0 || rows.length > 0) this.draw(rows);
    this.#rows = [];
    this.#show();
  }

  /** To the first row. A terminal that became narrower has broken the rows that it shows. */
  #back(): string {
    const height = this.#rows.reduce((sum, row) => sum + heightOf(row, columnsOf(this.#stream)), 0);
    return height === 0 ? '' : `\u001B[${String(height)}A${CLEAR_BELOW}`;
  }

  #hide(): string {
    if (this.#isHidden) return '';
    this.#isHidden = true;
    process.once('exit', this.#show);
    return HIDE_CURSOR;
  }

  readonly #show = (): void => {
    if (!this.#isHidden) return;
    this.#isHidden = false;
    process.off('exit', this.#show);
    this.#stream.write(SHOW_CURSOR);
  };
}

/** How wide a terminal is; some say nothing, and some that they are 0 wide. */
export function columnsOf({ columns }: Pick<CliStream, 'columns'>): number {
  return columns === undefined || columns < 1 ? 80 : columns;
}

/** How many lines of a terminal a row takes, which may have colours in it. */
export function heightOf(row: string, columns: number): number {
  // eslint-disable-next-line no-control-regex
  const shown = row.replaceAll(/\u001B\[[0-9;]*m/g, '');
  return Math.max(1, Math.ceil(shown.length / columns));
}
