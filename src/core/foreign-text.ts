import { utf8ToBytes } from '@noble/hashes/utils.js';
import { oneLine } from './control-characters.js';
import { REMOVED, isSecretInUse, withoutSecretsInUse } from './secrets.js';
import { hasTokenShape } from './token-shape.js';

/** No answer of a server is read further than this for a message. */
const MOST_READ = 100_000;

/**
 * Text of others without what nobody else may see: the secrets in use in whatever form, what looks like a token, users of
 * URLs, and queries, for they may be signed. It is the one cleaner: every error, failure, heartbeat and log goes through it.
 */
export function withoutSecrets(text: string): string {
  let clean = withoutSecretsInUse(text.slice(0, MOST_READ));
  for (const [shape, shown] of SHAPES) clean = clean.replaceAll(shape, shown);
  return clean.replaceAll(/[^\s"'<>]+/g, withoutQuery);
}

/** What a server or a program said, for a message of ours: one line without secrets, at most so many characters long. */
export function foreignText(text: string, most = 300): string {
  const clean = withoutSecrets(oneLine(text.slice(0, MOST_READ))).trim();
  return clean.length <= most ? clean : `${clean.slice(0, most)}…`;
}

/** Every text in a value, however deep, without secrets. */
export function withoutSecretsDeep(value: unknown): unknown {
  if (typeof value === 'string') return withoutSecrets(value);
  if (Array.isArray(value)) return value.map(withoutSecretsDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withoutSecretsDeep(field)]));
}

/** The start and the end of a text that has too many bytes, and how much was left out between them. */
export function shortened(text: string, mostBytes: number): string {
  if (bytesOf(text) <= mostBytes) return text;
  const room = Math.max(0, mostBytes - 40);
  const start = take(text, Math.ceil(room * 0.7));
  const end = takeFromEnd(text, Math.floor(room * 0.3));
  const left = text.length - start.length - end.length;
  return `${start}… (${String(left)} characters cut) …${end}`;
}

/** Whether a text is a token rather than the name of one: by its shape, or because it is a secret in use. */
export function looksLikeToken(text: string): boolean {
  return isSecretInUse(text) || hasTokenShape(text);
}

const SHAPES: readonly (readonly [RegExp, string])[] = [
  // The user and the password of a URL.
  [/:\/\/[^\s/?#"'<>]*@/g, `://${REMOVED}@`],
  [/\b(Bearer|Basic)(\s|%20|\+)+[\w.~+/%-]{6,}=*/gi, `$1 ${REMOVED}`],
  // A short one has to look random, for names begin so too.
  [/hf_(?:(?=[a-z]{0,20}[A-Z0-9])[A-Za-z0-9]{10,}|[A-Za-z0-9]{20,})/g, REMOVED],
  [/api_org_[A-Za-z0-9]{10,}/g, REMOVED],
  [/eyJ[\w-]{8,300}\.[\w-]{4,2000}(?:\.[\w-]*)?/g, REMOVED],
  // Parts of a signature in JSON or XML.
  [/((?:signature|credential|security-token|key-pair-id)"?(?:\s*:\s*"|>))[^"<\s]+/gi, `$1${REMOVED}`],
];

const EQUALS = '(?:=|%(?:25)*3d)';
const SIGNED = new RegExp(
  `(?:(?<![a-z0-9])|(?<=%(?:25)*[0-9a-f]{2}))(?:x-(?:amz|goog)-[a-z0-9-]{1,40}|signature|credential|key-pair-id|policy|sig|token|api_?key|access_?key|secret|password)${EQUALS}`,
  'i'
);
const QUERY = /\?(?=[\w.~%-]{1,200}=)/;
const PAIRS = /=[^&=]{0,4000}&[^&=]{1,200}=/;

/** A word without its query. One that came without its URL goes as a whole. */
function withoutQuery(word: string): string {
  const query = startOfQuery(word);
  if (query >= 0) return `${word.slice(0, query)}?${REMOVED}`;
  return SIGNED.test(word) || PAIRS.test(word) ? REMOVED : word;
}

/** Of a URL all behind the "?" is its query, and behind a "#" too where it looks like one. */
function startOfQuery(word: string): number {
  const url = word.search(/https?:\/\//i);
  const behind = url < 0 ? -1 : word.slice(url).search(/\?./s);
  if (behind >= 0) return url + behind;
  const fragment = url < 0 ? -1 : word.indexOf('#', url);
  return fragment >= 0 && word.includes('=', fragment) ? fragment : word.search(QUERY);
}

function bytesOf(text: string): number {
  return utf8ToBytes(text).length;
}

/** Whole characters from the start, up to so many bytes. */
function take(text: string, mostBytes: number): string {
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += bytesOf(character);
    if (bytes > mostBytes) break;
    kept += character;
  }
  return kept;
}

function takeFromEnd(text: string, mostBytes: number): string {
  let kept = mostBytes <= 0 ? '' : text.slice(-mostBytes);
  while (bytesOf(kept) > mostBytes) kept = kept.slice(Math.ceil(kept.length / 8));
  // Half of a character.
  return kept.replace(/^[\uDC00-\uDFFF]/, '');
}
