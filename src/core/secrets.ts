import { bytesToHex, utf8ToBytes } from '@noble/hashes/utils.js';

/** What stands in a text where a secret was taken out. */
export const REMOVED = '***';

/** A shorter one would be found in words that have nothing to do with it. */
const SHORTEST = 6;
/** Tokens of a session are renewed all the time; those of days ago are worth nothing. */
const MOST = 64;

/** The secrets that this process uses, each with the ways to write it. They are here and nowhere else. */
const inUse = new Map<string, readonly Form[]>();

interface Form {
  readonly text: string;
  /** The digits of base64 beside it hold bits of the secret too. */
  readonly base64: boolean;
}

/** Remembers a secret when it is read, so that no text of others can bring it into a failure or a log. */
export function noteSecret(secret: string): void {
  if (secret.length < SHORTEST) return;
  const forms = inUse.get(secret) ?? formsOf(secret);
  inUse.delete(secret);
  inUse.set(secret, forms);
  const [oldest] = inUse.keys();
  if (inUse.size > MOST && oldest !== undefined) inUse.delete(oldest);
}

/** Whether a text is a secret that this process uses. */
export function isSecretInUse(text: string): boolean {
  return inUse.has(text);
}

/** The text without the secrets in use: as they are, in base64 with anything before and behind them, in hex, and escaped. */
export function withoutSecretsInUse(text: string): string {
  if (inUse.size === 0) return text;
  const { plain, starts } = unescape(text);
  const spans: Span[] = [];
  for (const forms of inUse.values()) for (const form of forms) spans.push(...findAll(plain, form));
  if (spans.length === 0) return text;
  let clean = '';
  let done = 0;
  for (const { start, end } of spans.sort((a, b) => a.start - b.start)) {
    if (start >= done) clean += text.slice(starts(done), starts(start)) + REMOVED;
    done = Math.max(done, end);
  }
  return clean + text.slice(starts(done));
}

function formsOf(secret: string): Form[] {
  const bytes = utf8ToBytes(secret);
  const base64 = [0, 1, 2].map((before) => insideBase64(bytes, before));
  const url = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  return [
    ...[secret, bytesToHex(bytes)].map((text) => ({ text: lowered(text), base64: false })),
    ...[...new Set([...base64, ...url])].map((text) => ({ text: lowered(text), base64: true })),
  ];
}

/** The digits that bytes have in base64 behind so many others (modulo 3), whatever those are and whatever follows. */
function insideBase64(bytes: Uint8Array, before: number): string {
  const digits = btoa(String.fromCharCode(...new Uint8Array(before), ...bytes));
  const first = Math.ceil((before * 8) / 6);
  return digits.slice(first, Math.floor(((before + bytes.length) * 8) / 6));
}

/** Names of hosts come in small letters, so that these count as the big ones. */
function lowered(text: string): string {
  if (!/[A-Z]/.test(text)) return text;
  return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

interface Span {
  readonly start: number;
  readonly end: number;
}

function findAll(plain: string, { text, base64 }: Form): Span[] {
  const spans: Span[] = [];
  for (let at = plain.indexOf(text); at !== -1; at = plain.indexOf(text, at + text.length)) {
    const span = { start: at, end: at + text.length };
    spans.push(base64 ? widened(plain, span) : span);
  }
  return spans;
}

/** With the digits around it that have some of its bits, and the padding. */
function widened(plain: string, { start, end }: Span): Span {
  const before = /[\w+/-]{0,2}$/.exec(plain.slice(Math.max(0, start - 2), start))?.[0].length ?? 0;
  const behind = /^[\w+/-]{0,2}={0,2}/.exec(plain.slice(end, end + 4))?.[0].length ?? 0;
  return { start: start - before, end: end + behind };
}

const ESCAPED = /%(?:25)*([0-9a-f]{2})|&#x0*([0-9a-f]{2});|&#0*(\d{2,3});|\\u00([0-9a-f]{2})|\\\//gi;

/** The text without the escapes of URLs, HTML and JSON, in small letters; and where each character of it begins. */
function unescape(text: string): { plain: string; starts: (position: number) => number } {
  let plain = '';
  let done = 0;
  // Positions in `plain` behind an escape, with the place in `text` that they stand for.
  const shifts: { readonly from: number; readonly add: number }[] = [];
  for (const found of /[%&\\]/.test(text) ? text.matchAll(ESCAPED) : []) {
    const [escape, percent, hexEntity, entity, json] = found;
    const hex = percent ?? hexEntity ?? json;
    const code = hex === undefined ? Number(entity ?? 0x2f) : Number.parseInt(hex, 16);
    plain += text.slice(done, found.index) + String.fromCharCode(code);
    done = found.index + escape.length;
    shifts.push({ from: plain.length, add: done - plain.length });
  }
  plain += text.slice(done);
  return {
    plain: lowered(plain),
    starts: (position) => position + (shifts.findLast(({ from }) => from <= position)?.add ?? 0),
  };
}
