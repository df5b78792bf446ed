import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoredFile } from '../../src/core/stored-file.js';
import type { ObjectStore } from '../../src/storage/index.js';
import { sha256Of } from '../helpers/test-source.js';
import { runScript } from './vllm-python.js';

/** Architectures that small random checkpoints are made of; `checkpoints.py` says how. */
export type CheckpointName =
  | 'llama'
  | 'llama-tied'
  | 'llama-fp32'
  | 'llama-large'
  | 'qwen2'
  | 'qwen3'
  | 'mixtral'
  | 'qwen2-moe'
  | 'qwen3-moe'
  | 'gemma'
  | 'gemma2'
  | 'gemma3'
  | 'phi3';

/** Makes checkpoints in a folder, each in one of its own; the result names those. */
export async function makeCheckpoints<T extends CheckpointName>(
  folder: string,
  names: readonly T[]
): Promise<Readonly<Record<T, string>>> {
  const { code, output } = await runScript('checkpoints.py', [folder, ...names]);
  if (code !== 0) throw new Error(`The checkpoints could not be made:\n${output}`);
  return Object.fromEntries(names.map((name) => [name, join(folder, name)])) as Record<T, string>;
}

/** Puts a checkpoint into a store as a prefetch does; the result is what its manifest would say. */
export async function storeCheckpoint(store: ObjectStore, dirKey: string, folder: string): Promise<StoredFile[]> {
  const files: StoredFile[] = [];
  for (const path of await readdir(folder)) {
    const bytes = await readFile(join(folder, path));
    const { etag } = await store.put(`${dirKey}${path}`, bytes);
    files.push({ path, size: bytes.length, etag, digest: sha256Of(bytes) });
  }
  return files;
}
