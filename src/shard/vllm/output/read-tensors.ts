import { open, type FileHandle } from 'node:fs/promises';
import { headerByteLength, parseHeader, type TensorEntry } from '../../../safetensors/index.js';

const PREFIX_BYTES = 8;

/** The tensors of a safetensors file in the order of their bytes; nothing but its header is read. */
export async function readTensors(path: string, parse = parseHeader): Promise<readonly TensorEntry[]> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const length = headerByteLength(await readStart(handle, Math.min(size, PREFIX_BYTES)), size);
    return parse(await readStart(handle, length), size).tensors;
  } finally {
    await handle.close();
  }
}

async function readStart(handle: FileHandle, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}
