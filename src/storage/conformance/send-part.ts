import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

import { putBytes } from '../../http/put-bytes.js';
import type { ObjectStore, PartDescription, Receipt, Upload } from '../object-store.js';

/** Sends a part where the store says and confirms it, as the engine does. */
export async function sendPart(
  store: ObjectStore,
  upload: Upload,
  { body, ...place }: { readonly partNumber: number; readonly position: number; readonly body: Uint8Array }
): Promise<Receipt> {
  const part: PartDescription = { ...place, size: body.byteLength, crc32: crc32(body) };
  const target = await store.partTarget(upload, part);
  if (target.kind === 'file') {
    await writeAt(target, body);
    return store.confirmPart(upload, part, undefined);
  }
  return store.confirmPart(upload, part, await putBytes({ target, body }));
}

/** Begins to send a part and breaks off in the middle: nobody confirms it. */
export async function sendHalfAPart(
  store: ObjectStore,
  upload: Upload,
  { body, ...place }: { readonly partNumber: number; readonly position: number; readonly body: Uint8Array }
): Promise<void> {
  const part: PartDescription = { ...place, size: body.byteLength, crc32: crc32(body) };
  const target = await store.partTarget(upload, part);
  const half = body.subarray(0, body.byteLength >> 1);
  if (target.kind === 'file') {
    await writeAt(target, half);
    return;
  }
  await cutPut(target.url, { headers: target.headers, body: half, size: body.byteLength });
}

/** A writer that stops right before it sends a part; the result sends it, whatever has become of the upload. */
export async function stoppedWriter(
  store: ObjectStore,
  upload: Upload,
  part: PartDescription
): Promise<(body: Uint8Array) => Promise<void>> {
  const target = await store.partTarget(upload, part);
  // Whether the store refuses them or cuts the connection, the bytes must not arrive.
  if (target.kind === 'http')
    return async (body) => {
      await putBytes({ target, body }).catch(() => undefined);
    };
  const handle = await open(target.path, 'r+');
  return async (body) => {
    await handle.write(body, 0, body.byteLength, target.position);
    await handle.close();
  };
}

async function writeAt(target: { readonly path: string; readonly position: number }, body: Uint8Array): Promise<void> {
  const handle = await open(target.path, 'r+');
  try {
    await handle.write(body, 0, body.byteLength, target.position);
  } finally {
    await handle.close();
  }
}

/** Promises `size` bytes, sends fewer and closes the connection. */
async function cutPut(
  url: string,
  sent: { readonly headers: Readonly<Record<string, string>>; readonly body: Uint8Array; readonly size: number }
): Promise<void> {
  const { request } = url.startsWith('https:') ? await import('node:https') : await import('node:http');
  const headers = { ...sent.headers, 'content-length': sent.size };
  const outgoing = request(url, { method: 'PUT', headers, agent: false });
  await new Promise<void>((resolve) => {
    outgoing
      .on('error', () => undefined)
      .on('close', () => {
        resolve();
      });
    outgoing.write(sent.body, () => outgoing.destroy());
  });
}
