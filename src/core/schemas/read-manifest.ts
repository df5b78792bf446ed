import { manifestSchema, type Manifest } from './manifest.js';

/** A manifest as it was read, or why it cannot be. */
export type ReadManifest = { readonly manifest: Manifest } | { readonly problem: string; readonly version?: number };

/** Reads a manifest of any version that has the fields of this one: fields that a later version added are passed over. */
export function readManifestValue(value: unknown): ReadManifest {
  const strict = manifestSchema.safeParse(value);
  if (strict.success) return { manifest: strict.data };
  const unknown = strict.error.issues.filter((issue) => issue.code === 'unrecognized_keys');
  if (unknown.length === strict.error.issues.length) {
    const known = structuredClone(value);
    for (const { path, keys } of unknown) dropKeys(known, path, keys);
    const lenient = manifestSchema.safeParse(known);
    if (lenient.success) return { manifest: lenient.data };
  }
  const [first] = strict.error.issues;
  const version = typeof value === 'object' && value !== null && 'version' in value ? value.version : undefined;
  return {
    problem: first === undefined ? 'is no manifest' : `${first.path.join('.') || 'the whole'}: ${first.message}`,
    ...(typeof version === 'number' ? { version } : {}),
  };
}

function dropKeys(value: unknown, path: readonly PropertyKey[], keys: readonly string[]): void {
  const place = path.reduce<unknown>((at, step) => (isObject(at) ? Reflect.get(at, step) : undefined), value);
  if (isObject(place)) for (const key of keys) Reflect.deleteProperty(place, key);
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
