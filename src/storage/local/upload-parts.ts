import { PrefetchError } from '../../core/errors.js';
import type { PartDescription, Receipt, Upload } from '../object-store.js';
import type { UploadRecord } from './upload-record.js';

/** Fails unless a part is one of an upload's plan. */
export function checkPart(record: UploadRecord, part: PartDescription): void {
  const position = (part.partNumber - 1) * record.partSize;
  const size = Math.min(record.partSize, record.size - position);
  if (part.position === position && part.size === size) return;
  throw new PrefetchError(
    'InvalidInput',
    `Part ${String(part.partNumber)} of ${record.key} is ${String(size)} bytes at ${String(position)}, ` +
      `not ${String(part.size)} at ${String(part.position)}`
  );
}

/** Fails unless the parts that are given are held, and are all there are. */
export function checkParts(
  record: UploadRecord,
  asked: {
    readonly upload: Upload;
    readonly given: readonly Receipt[];
    readonly held: readonly Receipt[];
    readonly size: number;
  }
): void {
  const held = new Map(asked.held.map((receipt) => [receipt.partNumber, receipt]));
  for (const { partNumber, etag, size } of asked.given) {
    const receipt = held.get(partNumber);
    if (receipt?.etag !== etag || receipt.size !== size)
      throw conflict(asked.upload, `part ${String(partNumber)} is missing`);
  }
  const bytes = asked.given.reduce((sum, receipt) => sum + receipt.size, 0);
  const numbers = new Set(asked.given.map(({ partNumber }) => partNumber));
  if (bytes !== asked.size || asked.size !== record.size || numbers.size !== asked.given.length) {
    throw conflict(asked.upload, `its parts have ${String(bytes)} of ${String(record.size)} bytes`);
  }
}

/** The failure of an upload that cannot be completed as it is. */
export function conflict(upload: Upload, problem: string): PrefetchError {
  return new PrefetchError('StoreConflict', `The upload of ${upload.key} cannot be completed: ${problem}`, {
    details: { key: upload.key },
  });
}
