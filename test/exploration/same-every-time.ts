import crypto, { createHash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { runningPort } from './process.js';

/** Takes chance and time out of the package: names come from the process that makes them, waits are none, the clock stands. */
export function makeSameEveryTime(): void {
  const bytes = (size: number): Buffer => createHash('sha512').update(runningPort().token()).digest().subarray(0, size);
  const uuid = (): string =>
    bytes(16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  Object.assign(crypto, { randomBytes: bytes, randomUUID: uuid });
  Object.assign(timers, { setTimeout: (_ms: number, value: unknown) => Promise.resolve(value) });
  syncBuiltinESMExports();
  const now = Date.now();
  Date.now = () => now;
  Math.random = () => 0.5;
}
