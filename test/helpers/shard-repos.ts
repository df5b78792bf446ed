import { readFileSync } from 'node:fs';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import type { DevCommit, DevFile } from '../../src/dev-hub/index.js';
import { parseHeader } from '../../src/safetensors/index.js';
import { formulaModel, formulaWeights } from './formula-models.js';
import { splitWeights } from './shard-setup.js';

export interface FormulaCommit {
  /** Weights files; more than one has an index. */
  readonly split?: number;
  /** Fields of config.json that are another value, or absent where they are undefined. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A commit as a Hub has it: a model that real vLLM releases were measured with, and what lies beside its weights. */
export async function formulaCommit(name: string, { split = 1, config = {} }: FormulaCommit = {}): Promise<DevCommit> {
  const model = await formulaModel(name);
  return {
    files: {
      'config.json': text(JSON.stringify({ ...model.config, ...config }, null, 2)),
      'tokenizer.json': text('{"version":"1.0"}'),
      'README.md': text(`# ${name}\n`),
      '.gitattributes': text('*.safetensors filter=lfs\n'),
      'original/params.json': text('{}'),
      'original/consolidated.00.pth': { size: 70_000, seed: name },
      ...weightsFiles(splitWeights(formulaWeights(model), split)),
    },
  };
}

/** The same commit, of which these files were never pushed. */
export function withoutFiles({ files }: DevCommit, ...paths: readonly string[]): DevCommit {
  return { files: Object.fromEntries(Object.entries(files).filter(([path]) => !paths.includes(path))) };
}

function weightsFiles(weights: readonly Buffer[]): Record<string, DevFile> {
  const [only, ...others] = weights;
  if (only !== undefined && others.length === 0) return { 'model.safetensors': { bytes: only } };
  const named = weights.map(
    (bytes, index) => [`model-0000${String(index + 1)}-of-0000${String(weights.length)}.safetensors`, bytes] as const
  );
  const map = named.flatMap(([path, bytes]) =>
    parseHeader(bytes, bytes.length).tensors.map(({ name }) => [name, path])
  );
  const index = { metadata: {}, weight_map: Object.fromEntries(map) as Record<string, string> };
  return {
    'model.safetensors.index.json': text(JSON.stringify(index)),
    ...Object.fromEntries(named.map(([path, bytes]) => [path, { bytes }])),
  };
}

function text(value: string): DevFile {
  return { bytes: new TextEncoder().encode(value) };
}

interface Measured {
  readonly releases: readonly (readonly string[])[];
  readonly runs: readonly {
    readonly model: string;
    readonly dtype: string;
    readonly tp: number;
    readonly maxSize: number | null;
    readonly digest: string;
    readonly releases: number;
  }[];
}

/** The digest over all files that the newest verified vLLM wrote of a model. */
export function measuredDigest(
  name: string,
  {
    tp,
    maxSize = null,
    dtype = 'auto',
  }: { readonly tp: number; readonly maxSize?: number | null; readonly dtype?: string }
): string {
  const measured = JSON.parse(
    readFileSync(new URL('../shard/fixtures/measured.json', import.meta.url), 'utf8')
  ) as Measured;
  const run = measured.runs.find(
    (each) =>
      each.model === name &&
      each.tp === tp &&
      each.maxSize === maxSize &&
      each.dtype === dtype &&
      measured.releases[each.releases]?.includes(NEWEST_VERIFIED_VLLM) === true
  );
  if (run === undefined) throw new Error(`Nobody measured ${name} with ${String(tp)} ranks`);
  return run.digest;
}
