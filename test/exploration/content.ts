import { createHash } from 'node:crypto';

/** Bytes in the store of an exploration; equal bytes are one value, so that states are compared by number. */
export interface Content {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly sha256: string;
  /** As Git names a blob of these bytes. */
  readonly gitSha1: string;
}

const known = new Map<string, Content>();

/** The one value of these bytes. */
export function contentOf(bytes: Uint8Array): Content {
  const text = Buffer.from(bytes).toString('latin1');
  const found = known.get(text);
  if (found !== undefined) return found;
  // The bytes may lie in memory that is used again.
  const own = Buffer.from(text, 'latin1');
  const content: Content = {
    id: known.size,
    bytes: own,
    sha256: createHash('sha256').update(own).digest('hex'),
    gitSha1: createHash('sha1').update(`blob ${own.length}\0`).update(own).digest('hex'),
  };
  known.set(text, content);
  return content;
}

export function contentOfText(text: string): Content {
  return contentOf(Buffer.from(text));
}

/** The same bytes but for those from a position on. */
export function patched(content: Content, position: number, bytes: Uint8Array): Content {
  const changed = Buffer.from(content.bytes);
  changed.set(bytes, position);
  return contentOf(changed);
}

/** The same bytes, the first of them with another last bit. */
export function flipped(bytes: Uint8Array): Uint8Array {
  const changed = Buffer.from(bytes);
  changed[0] = (changed[0] ?? 0) ^ 1;
  return changed;
}
