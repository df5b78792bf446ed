import { PrefetchError } from '../../core/errors.js';

/**
 * Fails as `InvalidInput` for a pattern that Python formats into something else, or that gives two files one name:
 * `{rank}{part}` is 111 for rank 1, part 11, and for rank 11, part 1.
 */
export function checkFilePattern(pattern: string): void {
  const literal = pattern.replaceAll('{rank}', '').replaceAll('{part}', '');
  const fields = pattern.includes('{rank}') && pattern.includes('{part}');
  if (fields && !/[{}/\\\0]/.test(literal) && !pattern.includes('}{')) return;
  throw new PrefetchError(
    'InvalidInput',
    `shardConfig.args.filePattern (--file-pattern): expected {rank} and {part}, apart from each other and without other braces, got ${JSON.stringify(pattern.slice(0, 200))}`
  );
}

/** The name that vLLM gives to a part of a rank: plain decimal numbers from 0. */
export function shardFileName(pattern: string, rank: number, part: number): string {
  return pattern.replaceAll('{rank}', String(rank)).replaceAll('{part}', String(part));
}
