import { createHash } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A checkpoint that anyone can make from a formula: its config and the header of its one weights file. */
export interface FormulaModel {
  readonly config: Readonly<Record<string, unknown>>;
  /** The header as it stands in the file, padding and all. */
  readonly header_text: string;
  readonly file_sha256: string;
  /** Further data types whose elements are all finite, and tensors that have the bytes of another name. */
  readonly formula?: { readonly finite?: readonly string[]; readonly same_bytes?: Readonly<Record<string, string>> };
}

/** The models that real vLLM releases were measured with. */
export async function readFormulaModels(): Promise<ReadonlyMap<string, FormulaModel>> {
  const text = await readFile(new URL('../shard/fixtures/sources.json', import.meta.url), 'utf8');
  return new Map(Object.entries(JSON.parse(text) as Record<string, FormulaModel>));
}

export async function formulaModel(name: string): Promise<FormulaModel> {
  const model = (await readFormulaModels()).get(name);
  if (model === undefined) throw new Error(`There is no formula model ${name}`);
  return model;
}

/** The weights file of a model: the bytes of a tensor are digests of its name and a counter, one after the other. */
export function formulaWeights({ header_text: text, formula = {} }: FormulaModel): Buffer {
  const json = Buffer.from(text, 'utf8');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(json.length));
  // Floats that may be converted are finite; what is only copied may be anything.
  const finite = new Set(['F32', 'F16', ...(formula.finite ?? [])]);
  const tensors = Object.entries(JSON.parse(text) as Record<string, HeaderEntry>)
    .flatMap(([name, { dtype, data_offsets: offsets }]) =>
      dtype === undefined || offsets === undefined ? [] : [{ name, dtype, begin: offsets[0], end: offsets[1] }]
    )
    .sort((a, b) => a.begin - b.begin);
  const contents = tensors.map(({ name, dtype, begin, end }) =>
    tensorBytes({ seed: formula.same_bytes?.[name] ?? name, dtype, length: end - begin, finite: finite.has(dtype) })
  );
  return Buffer.concat([prefix, json, ...contents]);
}

interface HeaderEntry {
  readonly dtype?: string;
  readonly data_offsets?: readonly [number, number];
}

/** Writes a model as a folder that vLLM and this package read. */
export async function writeFormulaModel(folder: string, name: string): Promise<FormulaModel> {
  const model = await formulaModel(name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'config.json'), JSON.stringify(model.config, null, 2));
  await writeFile(join(folder, 'model.safetensors'), formulaWeights(model));
  return model;
}

function tensorBytes({
  seed,
  dtype,
  length,
  finite,
}: {
  readonly seed: string;
  readonly dtype: string;
  readonly length: number;
  readonly finite: boolean;
}): Buffer {
  const digests: Buffer[] = [];
  for (let counter = 0; counter * 32 < length; counter++) {
    digests.push(
      createHash('sha256')
        .update(`${seed}:${String(counter)}`)
        .digest()
    );
  }
  const bytes = Buffer.concat(digests).subarray(0, length);
  const width = dtype === 'F32' ? 4 : 2;
  // An element without its highest exponent bit is finite.
  if (finite) for (let at = width - 1; at < bytes.length; at += width) bytes[at] = (bytes[at] ?? 0) & 0xbf;
  return bytes;
}
