import { oneLine } from '../../../core/control-characters.js';
import { withoutSecrets as withoutAnySecrets } from '../../../core/foreign-text.js';

const MAX_LINES = 100;
const MAX_LINE_LENGTH = 500;

/** The last lines of a log, fit to be shown. */
export interface LogTail {
  add(text: string): void;
  /** The newest lines, oldest first. */
  lines(count?: number): readonly string[];
}

/** Keeps the end of a log in bounded memory, however much is written and however long its lines are; `onLine` hears each. */
export function createLogTail(onLine: (line: string) => void = () => undefined): LogTail {
  const kept: string[] = [];
  let open = '';
  const keep = (line: string) => {
    if (line.trim() === '') return;
    const shown = withoutSecrets(line.slice(0, MAX_LINE_LENGTH));
    kept.push(shown);
    onLine(shown);
    if (kept.length > MAX_LINES) kept.shift();
  };
  return {
    add: (text) => {
      // A progress bar goes back to the start of its line.
      const [first = '', ...rest] = text.split(/[\r\n]+/);
      open = (open + first).slice(0, MAX_LINE_LENGTH);
      for (const next of rest) {
        keep(open);
        open = next.slice(0, MAX_LINE_LENGTH);
      }
    },
    lines: (count = MAX_LINES) => [...kept, ...(open.trim() === '' ? [] : [withoutSecrets(open)])].slice(-count),
  };
}

/**
 * Text as one line of an error: no control character and no secret. In a log more may be one than in what others say.
 */
export function withoutSecrets(line: string): string {
  return withoutAnySecrets(oneLine(line))
    .replaceAll(/\bhf_[A-Za-z0-9]{8,}/g, 'hf_***')
    .replaceAll(/\b(AKIA|ASIA)[A-Z0-9]{12,}/g, '$1***')
    .replaceAll(/\b(token|secret|password|api_?key)(["']?\s*[=:]\s*["']?)[^\s"',]{4,}/gi, '$1$2***');
}
