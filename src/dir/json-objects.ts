import type { ObjectInfo, ObjectStore, PutOptions, RequestOptions } from '../storage/object-store.js';

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

/** An object that this version cannot read is as good as none: the work is planned anew. */
export async function readJson<T>(
  schema: Schema<T>,
  store: ObjectStore,
  key: string,
  options: RequestOptions
): Promise<T | undefined> {
  const bytes = await store.get(key, options);
  if (bytes === undefined) return undefined;
  const parsed = schema.safeParse(parseJson(bytes));
  return parsed.success ? parsed.data : undefined;
}

/** Writes a value as JSON. */
export async function writeJson(
  store: ObjectStore,
  key: string,
  value: unknown,
  options: RequestOptions
): Promise<ObjectInfo> {
  return writeJsonBytes(store, key, encodeJson(value), options);
}

/** Writes JSON that is encoded already. */
export async function writeJsonBytes(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
  options: PutOptions
): Promise<ObjectInfo> {
  return store.put(key, bytes, { ...options, contentType: 'application/json' });
}

/** The bytes of a value as JSON. */
export function encodeJson(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** The value of JSON, or undefined where the bytes are none. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
