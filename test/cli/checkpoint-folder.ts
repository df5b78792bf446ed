import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFormulaModel } from '../helpers/formula-models.js';
import { tmpFolder } from '../helpers/tmp.js';

/** A folder with a checkpoint in it, and a place for its shards where nothing is yet. */
export interface CheckpointFolder {
  readonly folder: string;
  readonly model: string;
  readonly to: string;
}

/** Writes a model that real vLLM releases were measured with; fields of its config may be others. */
export async function checkpointFolder(name = 'llama-untied', change: object = {}): Promise<CheckpointFolder> {
  const folder = await tmpFolder();
  const model = join(folder, 'model');
  const { config } = await writeFormulaModel(model, name);
  await writeFile(join(model, 'config.json'), JSON.stringify({ ...config, ...change }));
  await writeFile(join(model, 'tokenizer.json'), '{"version":"1.0"}');
  return { folder, model, to: join(folder, 'shards') };
}
