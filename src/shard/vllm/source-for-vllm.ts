import { PrefetchError } from '../../core/errors.js';
import { vllmFiles } from '../../hub/vllm-files.js';

/**
 * The files of a Dir that vLLM has to have on its disk: weights in safetensors, config, tokenizer, remote code. Weights in
 * other formats, of other programs or of a LoRA adapter fail as `UnsupportedSharding`.
 */
export function sourceForVllm<T extends { readonly path: string }>(files: readonly T[]): T[] {
  if (files.some(({ path }) => path === 'adapter_config.json')) {
    throw new PrefetchError(
      'UnsupportedSharding',
      'This is a LoRA adapter (adapter_config.json), and vLLM saves no sharded state of one: merge it into its base model first'
    );
  }
  const needed = vllmFiles(files).filter(({ path }) => !isForPeople(path));
  if (!needed.some(({ path }) => isSafetensors(path) && !path.includes('/'))) {
    throw new PrefetchError(
      'UnsupportedSharding',
      'There are no weights in safetensors at the top of this Dir to shard'
    );
  }
  if (!needed.some(({ path }) => path === 'config.json' || path === 'params.json')) {
    throw new PrefetchError(
      'UnsupportedSharding',
      'There is no config.json at the top of this Dir, which vLLM starts from'
    );
  }
  return needed;
}

/** True for weights that count as such: those that vLLM is given. */
export function isSafetensors(path: string): boolean {
  return path.endsWith('.safetensors');
}

function isForPeople(path: string): boolean {
  return /\.(md|rst)$/i.test(path) || /(^|\/)(LICEN[CS]E|NOTICE|README|USE_POLICY)(\.[^/]*)?$/i.test(path);
}
