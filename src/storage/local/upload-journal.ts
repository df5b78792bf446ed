import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Receipt } from '../object-store.js';
import { isSystemError } from './file-errors.js';

/** A line of the journal: bytes of a part are about to change, or have all arrived. */
export type JournalLine =
  { readonly kind: 'opened'; readonly partNumber: number } | ({ readonly kind: 'confirmed' } & Receipt);

/**
 * Appends one line. The line break comes first too: a process killed while writing leaves a torn line,
 * which then spoils itself only. Nothing is synced: after a power cut the bytes of a resumed object are read back
 * and hashed anyway before anybody relies on them.
 */
export async function appendToJournal(upload: string, line: JournalLine): Promise<void> {
  await appendFile(journalPath(upload), `\n${JSON.stringify(line)}\n`);
}

/** Parts that were confirmed and not opened again since, in order. */
export async function readJournal(upload: string): Promise<Receipt[]> {
  const text = await readFile(journalPath(upload), 'utf8').catch((error: unknown) => {
    if (isSystemError(error, 'ENOENT')) return '';
    throw error;
  });
  const parts = new Map<number, Receipt>();
  for (const line of text.split('\n').map(parseLine)) {
    if (line === undefined) continue;
    if (line.kind === 'opened') parts.delete(line.partNumber);
    else parts.set(line.receipt.partNumber, line.receipt);
  }
  return [...parts.values()].sort((a, b) => a.partNumber - b.partNumber);
}

type ParsedLine = { kind: 'opened'; partNumber: number } | { kind: 'confirmed'; receipt: Receipt };

function parseLine(text: string): ParsedLine | undefined {
  const line = parseJson(text);
  if (typeof line !== 'object' || line === null || !('kind' in line) || !('partNumber' in line)) return undefined;
  const { kind, partNumber } = line;
  if (typeof partNumber !== 'number') return undefined;
  if (kind === 'opened') return { kind, partNumber };
  if (kind !== 'confirmed' || !('size' in line) || !('etag' in line)) return undefined;
  const { size, etag } = line;
  if (typeof size !== 'number' || typeof etag !== 'string') return undefined;
  const crc32 = 'crc32' in line && typeof line.crc32 === 'number' ? { crc32: line.crc32 } : {};
  return { kind, receipt: { partNumber, size, etag, ...crc32 } };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function journalPath(upload: string): string {
  return join(upload, 'parts.journal');
}
