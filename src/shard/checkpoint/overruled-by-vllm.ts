import { isPrefetchError, rewrap } from '../../core/errors.js';
import { isIgnoredByVllm, type WeightsFile } from '../layout/source-tensors.js';
import { shorten } from '../layout/unsupported.js';

/**
 * Says which tensor of an overlay vLLM would take from another file than the index does, if there is one: of several it
 * takes the last, by the names of the files.
 */
export function overruledByVllm(all: readonly WeightsFile[], settled: readonly WeightsFile[]): string | undefined {
  if (all === settled) return undefined;
  const taken = new Map<string, string>();
  for (const { path, header } of all.toSorted((a, b) => compareNaturally(a.path, b.path))) {
    for (const { name } of header.tensors) taken.set(name, path);
  }
  for (const { path, header } of settled) {
    const other = header.tensors.find(({ name }) => taken.get(name) !== path && !isIgnoredByVllm(name));
    if (other === undefined) continue;
    return (
      `the index takes the tensor ${shorten(other.name)} from ${path}, and engine vllm would take the one ` +
      `in ${String(taken.get(other.name))}`
    );
  }
  return undefined;
}

/** A refusal that also says what vLLM would overrule: `auto` must not leave such a checkpoint to it. */
export function withOverruled(error: unknown, overruled: string | undefined): unknown {
  if (overruled === undefined || !isPrefetchError(error, 'UnsupportedSharding')) return error;
  return rewrap(error, { text: error.text, details: { overruled } });
}

/** Digits as numbers, as vLLM sorts the files before it reads them. */
function compareNaturally(a: string, b: string): number {
  const [left, right] = [a.split(DIGITS), b.split(DIGITS)];
  for (const [position, mine] of left.entries()) {
    const other = right[position];
    if (other === undefined) return 1;
    if (mine === other) continue;
    // What was split by stands at every odd place.
    const difference = position % 2 === 1 ? Number(mine) - Number(other) : mine < other ? -1 : 1;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

const DIGITS = /(\d+)/;
