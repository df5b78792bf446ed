import type { CheckpointPlace } from '../../../src/shard/checkpoint/read-checkpoint.js';
import type { ObjectStore } from '../../../src/storage/object-store.js';
import { layoutFile, type TensorSpec } from '../../../src/safetensors/index.js';
import { createEngine } from '../../../src/transfer/engine.js';
import type { MemoryStore } from '../../helpers/memory-store.js';
import { quickPolicies } from '../../helpers/transfer-setup.js';

export const DIR = 'dir/';

/** Puts files under a Dir's key and says where a checkpoint lies. */
export async function placeOf(
  store: MemoryStore,
  files: Readonly<Record<string, string | Uint8Array>>
): Promise<CheckpointPlace> {
  for (const [path, content] of Object.entries(files)) store.objects.set(`${DIR}${path}`, Buffer.from(content));
  const listed = await list(store);
  const engine = createEngine({ partSizeBytes: 1024, lanes: 4, memoryBytes: 8192, policies: quickPolicies });
  return { context: engine.context, store, dirKey: DIR, files: listed };
}

async function list(store: ObjectStore) {
  const files: { path: string; size: number; etag: string }[] = [];
  for await (const { key, size, etag } of store.list(DIR)) files.push({ path: key.slice(DIR.length), size, etag });
  return files;
}

/** A weights file with these tensors, all zero, or what their first byte is. */
export function weightsWith(tensors: readonly TensorSpec[], byte: (name: string) => number = () => 0): Buffer {
  const { headerBytes, dataByteLength, tensors: placed } = layoutFile(tensors);
  const bytes = Buffer.concat([headerBytes, Buffer.alloc(dataByteLength)]);
  for (const { name, begin, end } of placed)
    bytes.fill(byte(name), headerBytes.length + begin, headerBytes.length + end);
  return bytes;
}

/** A length and what is said to be the header, whatever it is. */
export function rawWeights(length: number | bigint, header: string, data = ''): Buffer {
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([prefix, Buffer.from(header), Buffer.from(data)]);
}
