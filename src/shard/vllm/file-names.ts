/** The name that vLLM gives to a part of a rank: plain decimal numbers from 0. */
export function shardFileName(pattern: string, rank: number, part: number): string {
  return pattern.replaceAll('{rank}', String(rank)).replaceAll('{part}', String(part));
}
