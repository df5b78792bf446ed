import { PrefetchError } from '../../core/errors.js';
import type { WeightsFile } from '../layout/source-tensors.js';
import { shorten } from '../layout/unsupported.js';
import { INDEX_PATH } from './model-files.js';

/**
 * The same files, each with the tensors that count: where two hold one, as in a checkpoint with an overlay, the index says
 * which. Where it does not, nobody knows what was meant, and `InvalidSafetensors` says so.
 */
export function settleDuplicates<T extends WeightsFile>(
  weights: readonly T[],
  weightMap: ReadonlyMap<string, string> | undefined
): readonly T[] {
  const losers = findLosers(weights, weightMap);
  if (losers.size === 0) return weights;
  return weights.map((file) => {
    const tensors = file.header.tensors.filter(({ name }) => losers.get(name)?.has(file.path) !== true);
    return { ...file, header: { ...file.header, tensors } };
  });
}

/** Name of a tensor to the files that hold one that does not count. */
function findLosers(
  weights: readonly WeightsFile[],
  weightMap: ReadonlyMap<string, string> | undefined
): ReadonlyMap<string, ReadonlySet<string>> {
  const holders = new Map<string, string>();
  const losers = new Map<string, Set<string>>();
  for (const { path, header } of weights) {
    for (const { name } of header.tensors) {
      const other = holders.get(name);
      const winner = weightMap?.get(name);
      holders.set(name, other !== undefined && winner !== path ? other : path);
      if (other === undefined) continue;
      losers.set(name, (losers.get(name) ?? new Set<string>()).add(winner === path ? other : path));
    }
  }
  for (const [name, files] of losers) {
    if (holders.get(name) === weightMap?.get(name)) continue;
    throw ambiguous(name, [...files, holders.get(name) ?? ''].sort(), weightMap !== undefined);
  }
  return losers;
}

function ambiguous(name: string, files: readonly string[], isIndexed: boolean): PrefetchError {
  const index = isIndexed ? `${INDEX_PATH} puts it into none of them` : 'there is no index that says which one counts';
  return new PrefetchError(
    'InvalidSafetensors',
    `${files.join(' and ')} hold a tensor ${shorten(name)} each, and ${index}. vLLM takes that of the last file without a ` +
      'word: take the others out, add an index, or ask for engine vllm',
    { details: { reason: 'duplicate-tensor', tensor: shorten(name), files: files.slice(0, 20) } }
  );
}
