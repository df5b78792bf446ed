import assert from 'node:assert/strict';

import { isPrefetchError, type ErrorCode } from '../../core/errors.js';

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** Bytes that differ at every position, so that a part in a wrong place is seen. */
export function pattern(size: number, seed = 1): Uint8Array {
  const result = new Uint8Array(size);
  let state = seed;
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    result[at] = state >>> 24;
  }
  return result;
}

/** Fails unless both are equal; a message with megabytes of bytes helps nobody. */
export function assertBytes(actual: Uint8Array | undefined, expected: Uint8Array): void {
  assert.ok(actual !== undefined, 'the object is missing');
  assert.equal(actual.byteLength, expected.byteLength, 'the object has another size');
  assert.ok(Buffer.compare(actual, expected) === 0, 'the object has other bytes');
}

/** Fails unless the action fails with one of the codes. */
export async function assertFails(action: () => Promise<unknown>, ...codes: readonly ErrorCode[]): Promise<void> {
  await assert.rejects(action, (error: unknown) => {
    const found = isPrefetchError(error) ? error.code : String(error);
    assert.ok(isPrefetchError(error) && codes.includes(error.code), `expected ${codes.join(' or ')}, got ${found}`);
    return true;
  });
}

/** All items, in order. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const result: T[] = [];
  for await (const item of items) result.push(item);
  return result;
}
