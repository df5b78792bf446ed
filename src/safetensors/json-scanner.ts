import { invalid, quoted } from './invalid.js';

/**
 * Reads JSON value by value. Each method but `end` takes the next value if it is of its kind and tells whether it was,
 * so the caller's own structure is the only nesting there is: no text can make it recurse.
 */
export interface JsonScanner {
  /** Calls `read` for each key of an object, to take its value; false where no object comes next. */
  readonly members: (read: (key: string) => void) => boolean;
  /** Calls `read` for each item of an array, to take it; false where no array comes next. */
  readonly items: (read: () => void) => boolean;
  readonly string: () => string | undefined;
  /** A safe integer from 0, written in digits alone: neither 1.0 nor 1e3 nor -0. */
  readonly integer: () => number | undefined;
  /** Fails unless nothing but white space is left. */
  readonly end: () => void;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Digits of 2^53. */
const MAX_DIGITS = 16;

/** `JSON.parse` keeps the last of equal keys and rounds big numbers without a word; a header may have neither. */
export function scanJson(text: string): JsonScanner {
  let position = 0;

  return { members, items, string, integer, end };

  function members(read: (key: string) => void): boolean {
    if (!opens('{')) return false;
    const seen = new Set<string>();
    return untilClosed('}', () => {
      const key = string();
      if (key === undefined) throw syntaxError('a key');
      if (seen.has(key)) throw invalid('duplicate-key', `The header has the key ${quoted(key)} twice in one object`);
      seen.add(key);
      if (!takes(':')) throw syntaxError('":"');
      read(key);
    });
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

  function integer(): number | undefined {
    skipSpace();
    const start = position;
    while (isDigit(text.charCodeAt(position))) position++;
    const digits = text.slice(start, position);
    const value = Number(digits);
    const plain = digits !== '' && digits.length <= MAX_DIGITS && (digits === '0' || !digits.startsWith('0'));
    return plain && Number.isSafeInteger(value) && !/[.eE]/.test(text.charAt(position)) ? value : undefined;
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
