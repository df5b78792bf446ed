import { InvalidArgumentError } from 'commander';
import { parseByteSize } from '../config/byte-size.js';
import { parseDuration } from '../config/duration.js';
import { vllmVersionSchema } from '../core/schemas/input.js';
import { NEWEST_VERIFIED_VLLM } from '../core/vllm-releases.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Value of a flag that may be given more than once. */
export function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}

/** Value of a flag that takes a count. */
export function wholeNumber(value: string): number {
  if (!/^\d{1,15}$/.test(value)) throw new InvalidArgumentError('Expected a whole number.');
  return Number(value);
}

/** Value of a flag that takes a TCP port; 0 lets the system choose. */
export function portNumber(value: string): number {
  const port = wholeNumber(value);
  if (port > 65_535) throw new InvalidArgumentError('Expected a port from 0 to 65535.');
  return port;
}

/** A release as its number: vLLM tags `v0.26.0` what it calls 0.26.0. */
export function plainRelease(value: string): string {
  return value.replace(/^v(?=\d)/, '');
}

/** Value of a flag that names a release of vLLM, where nothing else checks it. */
export function releaseOfVllm(value: string): string {
  const checked = vllmVersionSchema.safeParse(plainRelease(value));
  if (!checked.success) throw new InvalidArgumentError(`Expected a release such as ${NEWEST_VERIFIED_VLLM}.`);
  return checked.data;
}

/** Value of a flag that takes a duration; in milliseconds. */
export function durationMs(value: string): number {
  const ms = parseDuration(value);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 10m or 2h.');
  return ms;
}

/** Value of a flag that limits a wait; in milliseconds, no more than a timer of Node takes. */
export function limitMs(value: string): number {
  const ms = durationMs(value);
  if (ms > LONGEST_TIMER_MS) throw new InvalidArgumentError('Expected at most 596h, which is 24 days.');
  return ms;
}

/** Value of a flag that takes a size, such as 5GiB; in bytes. */
export function byteSize(value: string): number {
  const size = parseByteSize(value);
  if (size === undefined || size < 1) throw new InvalidArgumentError('Expected bytes, or a size such as 5GiB.');
  return size;
}
