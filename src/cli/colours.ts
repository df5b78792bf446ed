import { wantsColours } from '../config/terminal.js';
import type { CliStream } from './context.js';

/** Colours by what they say; where a stream takes none, the text comes back as it is. */
export interface Colours {
  readonly bad: (text: string) => string;
  readonly good: (text: string) => string;
  /** Less important than the rest. */
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
}

/** The colours of a stream. */
export function coloursOf(stream: Pick<CliStream, 'isTTY'>): Colours {
  return wantsColours(stream.isTTY === true) ? SOME : NONE;
}

const plain = (text: string): string => text;
const NONE: Colours = { bad: plain, good: plain, dim: plain, strong: plain };
const SOME: Colours = { bad: code(31, 39), good: code(32, 39), dim: code(2, 22), strong: code(1, 22) };

function code(on: number, off: number): (text: string) => string {
  return (text) => `\u001B[${String(on)}m${text}\u001B[${String(off)}m`;
}
