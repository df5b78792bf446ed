import { invalid, quoted } from './invalid.js';

/**
 * Reads JSON value by value. Each method but `end` takes the next value if it is of its kind and tells whether it was,
 * so the caller's own structure is the only nesting there is: no text can make it recurse.
 */
export interface JsonScanner {
  /**
   * Calls `read` for each key of an object, to take its value; false where no object comes next. A key that was there
   * before fails, where it is to be new.
   */
  readonly members: (read: (key: string) => void, isToBeNew?: (key: string) => boolean) => boolean;
  /** Calls `read` for each item of an array, to take it; false where no array comes next. */
  readonly items: (read: () => void) => boolean;
  readonly string: () => string | undefined;
  /** An integer from 0 that fits into 64 bits, written in digits alone: neither 1.0 nor 1e3 nor -0. */
  readonly integer: () => bigint | undefined;
  /** Takes a null. */
  readonly nothing: () => boolean;
  /** Takes any value at all, nested no deeper than so many levels. */
  readonly skip: (levels: number) => void;
  /** Fails unless nothing but white space is left. */
  readonly end: () => void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Digits of 2^64. */
const MAX_DIGITS = 20;
const MAX_INTEGER = 2n ** 64n - 1n;
const WORD = /true|false|null/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** `JSON.parse` keeps the last of equal keys and rounds big numbers without a word; a header may have neither. */
export function scanJson(text: string): JsonScanner {
  let position = 0;

  return { members, items, string, integer, nothing, skip, end };

  function members(read: (key: string) => void, isToBeNew: (key: string) => boolean = () => true): boolean {
    if (!opens('{')) return false;
    const seen = new Set<string>();
    return untilClosed('}', () => {
      const name = key();
      if (seen.has(name) && isToBeNew(name)) {
        throw invalid('duplicate-key', `The header has the key ${quoted(name)} twice in one object`);
      }
      seen.add(name);
      read(name);
    });
  }

  function key(): string {
    const name = string();
    if (name === undefined) throw syntaxError('a key');
    if (!takes(':')) throw syntaxError('":"');
    return name;
  }

  function items(read: () => void): boolean {
    return opens('[') && untilClosed(']', read);
  }

  function string(): string | undefined {
    if (!opens('"')) return undefined;
    const start = position;
    let escaped = false;
    for (let code = text.charCodeAt(position); code !== QUOTE; code = text.charCodeAt(position)) {
      // Past the end the code is NaN.
      if (!(code >= 0x20)) throw syntaxError('the end of a string');
      if (code === BACKSLASH) escaped = true;
      position += code === BACKSLASH ? 2 : 1;
    }
    position++;
    return escaped ? unescape(text.slice(start - 1, position)) : text.slice(start, position - 1);
  }

  function unescape(literal: string): string {
    try {
      const value: unknown = JSON.parse(literal);
      // Half of a surrogate pair has no UTF-8: two such names could be one on disk.
      if (typeof value === 'string' && !/\p{Surrogate}/u.test(value)) return value;
    } catch {
      // Reported below, with its place.
    }
    throw syntaxError('a string with valid escapes before this');
  }

  function integer(): bigint | undefined {
    skipSpace();
    const start = position;
    while (isDigit(text.charCodeAt(position))) position++;
    const digits = text.slice(start, position);
    const plain = digits !== '' && digits.length <= MAX_DIGITS && (digits === '0' || !digits.startsWith('0'));
    if (!plain || /[.eE]/.test(text.charAt(position))) return undefined;
    const value = BigInt(digits);
    return value <= MAX_INTEGER ? value : undefined;
  }

  function nothing(): boolean {
    skipSpace();
    if (!text.startsWith('null', position)) return false;
    position += 'null'.length;
    return true;
  }

  function skip(levels: number): void {
    const open: ('}' | ']')[] = [];
    do {
      const closing = opens('{') ? '}' : takes('[') ? ']' : undefined;
      if (closing === undefined) skipScalar();
      else if (open.push(closing) > levels) throw syntaxError('a value that is not nested as deep');
      else if (!takes(closing)) {
        if (closing === '}') key();
        continue;
      } else open.pop();
      while (takesLastOf(open)) open.pop();
      if (open.length > 0 && !takes(',')) throw syntaxError(`"," or "${open.at(-1) ?? ''}"`);
      if (open.at(-1) === '}') key();
    } while (open.length > 0);
  }

  function takesLastOf(open: readonly string[]): boolean {
    const last = open.at(-1);
    return last !== undefined && takes(last);
  }

  function skipScalar(): void {
    if (string() !== undefined) return;
    const [word] = matchAt(WORD);
    if (word !== undefined) return;
    const [number] = matchAt(NUMBER);
    // The reference reads numbers as 64 bits of float, and refuses those that do not fit.
    if (number === undefined || !Number.isFinite(Number(number))) throw syntaxError('a value');
  }

  function matchAt(shape: RegExp): readonly (string | undefined)[] {
    shape.lastIndex = position;
    const found = shape.exec(text) ?? [];
    position += found[0]?.length ?? 0;
    return found;
  }

  function end(): void {
    skipSpace();
    if (position < text.length) throw syntaxError('nothing more');
  }

  function untilClosed(bracket: ']' | '}', read: () => void): true {
    if (takes(bracket)) return true;
    do read();
    while (takes(','));
    if (!takes(bracket)) throw syntaxError(`"," or "${bracket}"`);
    return true;
  }

  /** Takes a value's first character; fails where no value starts at all. */
  function opens(character: string): boolean {
    if (takes(character)) return true;
    if (!/["[{\-\dtfn]/.test(text.charAt(position))) throw syntaxError('a value');
    return false;
  }

  function takes(character: string): boolean {
    skipSpace();
    if (text.charAt(position) !== character) return false;
    position++;
    return true;
  }

  function skipSpace(): void {
    while (isSpace(text.charCodeAt(position))) position++;
  }

  function syntaxError(expected: string): Error {
    const got = position < text.length ? quoted(text.slice(position, position + 20)) : 'its end';
    return invalid(
      'json',
      `The header is no valid JSON: expected ${expected} at character ${String(position)}, got ${got}`
    );
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The four characters that JSON calls white space. */
function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}
