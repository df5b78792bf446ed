import { PrefetchError } from '../core/errors.js';
import { unsafePathReason } from '../core/repo-path.js';
import { invalid, quoted } from './invalid.js';

/** Which file of a repo holds which tensor. */
export interface SafetensorsIndex {
  /** Tensor name to file, in the order of the index. */
  readonly weightMap: ReadonlyMap<string, string>;
  /** Bytes of all tensors together, where the index says so in a whole number: nobody relies on it. */
  readonly totalSize: number | undefined;
}

/**
 * Reads the parsed `model.safetensors.index.json`, of which readers need `weight_map` alone; a file name that could leave
 * the repo fails as `UnsafePath`.
 */
export function parseIndex(value: unknown): SafetensorsIndex {
  if (!isRecord(value)) throw invalid('index', 'A safetensors index must be an object');
  if (!isRecord(value['weight_map'])) throw invalid('index', 'A safetensors index must have an object weight_map');
  const weightMap = new Map<string, string>();
  for (const [name, file] of Object.entries(value['weight_map'])) {
    if (typeof file !== 'string') throw invalid('index', `weight_map: the file of ${quoted(name)} must be a string`);
    const problem = unsafePathReason(file);
    if (problem !== undefined) throw unsafe(name, file, problem);
    weightMap.set(name, file);
  }
  return { weightMap, totalSize: readTotalSize(value['metadata']) };
}

function unsafe(name: string, file: string, problem: string): PrefetchError {
  return new PrefetchError(
    'UnsafePath',
    `weight_map puts ${quoted(name)} into a file whose name ${problem}: ${quoted(file)}. Correct the index`,
    { details: { path: file.slice(0, 200) } }
  );
}

function readTotalSize(metadata: unknown): number | undefined {
  const totalSize = isRecord(metadata) ? metadata['total_size'] : undefined;
  return typeof totalSize === 'number' && Number.isSafeInteger(totalSize) && totalSize >= 0 ? totalSize : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
