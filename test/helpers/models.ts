import type { DevCommit, DevFile, DevRepo } from '../../src/dev-hub/index.js';

const text = (value: string): DevFile => ({ bytes: new TextEncoder().encode(value) });

/** Files of a small model in the shape of a real one: nested folders, an empty file, weights over several parts. */
export function smallModel(options: { readonly seed?: string; readonly weightBytes?: number } = {}): DevCommit {
  const seed = options.seed ?? 'small';
  return {
    files: {
      'config.json': text(JSON.stringify({ architectures: ['LlamaForCausalLM'], hidden_size: 64, seed: 'config' })),
      'README.md': text('# Small model\n'),
      '.gitattributes': text(''),
      'tokenizer/tokenizer.json': text('{"version":"1.0"}'),
      'original/consolidated.00.pth': { size: 1_500_000, seed: `${seed}-pth` },
      'model.safetensors': { size: options.weightBytes ?? 20_000_001, seed },
    },
  };
}

/** A repo with one commit of that model. */
export function smallRepo(id: string, options: Parameters<typeof smallModel>[0] & Partial<DevRepo> = {}): DevRepo {
  const { seed, weightBytes, ...repo } = options;
  return {
    id,
    commits: [
      smallModel({ ...(seed === undefined ? {} : { seed }), ...(weightBytes === undefined ? {} : { weightBytes }) }),
    ],
    ...repo,
  };
}
