import type { PrefetchSpec } from '../core/contract.js';
import { PrefetchError } from '../core/errors.js';

const WEIGHTS = /\.(?:safetensors|bin|pt|pth|gguf|npz|msgpack|h5)$/i;
/** Of Hugging Face, and of Mistral. */
const CONFIGS = ['config.json', 'params.json'];

/**
 * Fails where shards are asked for of files among which nobody finds a model: before a byte moves, for the globs are what has
 * to change. Without globs the repo itself is what it is, and whoever shards it says so.
 * @throws PrefetchError `InvalidInput` naming the globs
 */
export function requireCheckpoint(
  { shardConfig, selection }: Pick<PrefetchSpec, 'shardConfig' | 'selection'>,
  paths: readonly string[]
): void {
  if (shardConfig === undefined) return;
  const globs = (['include', 'exclude'] as const).filter((field) => selection[field].length > 0);
  if (globs.length === 0) return;
  const lacking = [
    ...(paths.some((path) => WEIGHTS.test(path)) ? [] : ['weights']),
    ...(paths.some((path) => CONFIGS.includes(path)) ? [] : ['config.json']),
  ];
  if (lacking.length === 0) return;
  const names = globs.map((field) => `${field} (--${field})`).join(' and ');
  throw new PrefetchError(
    'InvalidInput',
    `${names}: expected files that shards can be made of, got none for ${lacking.join(' and ')}. ` +
      'Let the globs take them, or ask for no shards'
  );
}
