import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect } from 'vitest';
import type { Dir, Manifest } from '../../src/core/contract.js';
import { manifestSchema } from '../../src/core/schemas/manifest.js';
import { openStore } from '../../src/storage/index.js';
import { runDigest } from './shard-setup.js';

/** What a Dir holds, read from its store and hashed here. */
export interface DirContent {
  readonly manifest: Manifest;
  /** SHA-256 by path, of everything but the manifest. */
  readonly digests: ReadonlyMap<string, string>;
  readonly bytes: (path: string) => Uint8Array;
  readonly text: (path: string) => string;
}

/** Reads a whole Dir; S3 as the environment of this process says. */
export async function contentOf(dir: Pick<Dir, 'path'>): Promise<DirContent> {
  const store = await openStore(dir.path);
  const objects = new Map<string, Uint8Array>();
  for await (const { key } of store.list('')) objects.set(key, (await store.get(key)) ?? new Uint8Array());
  await store.close();
  const bytes = (path: string) => objects.get(path) ?? new Uint8Array();
  const text = (path: string) => new TextDecoder().decode(bytes(path));
  const digests = [...objects].map(([path, content]) => [path, sha256(content)] as const);
  return {
    manifest: manifestSchema.parse(JSON.parse(text('.prefetch/manifest.json'))),
    digests: new Map(digests.filter(([path]) => path !== '.prefetch/manifest.json')),
    bytes,
    text,
  };
}

/** One digest for the shards of a Dir, as the measured ones are kept. */
export function shardsDigest({ digests }: Pick<DirContent, 'digests'>): string {
  const shards = [...digests].filter(([path]) => path.endsWith('.safetensors'));
  return runDigest(shards.map(([path, sha256]) => ({ path, sha256 })));
}

/** Every file of a manifest is there with the bytes whose digest stands in it, and no other file is. */
export function expectAsListed({ manifest, digests, bytes }: DirContent): void {
  expect([...digests.keys()].sort()).toEqual(manifest.files.map(({ path }) => path).sort());
  for (const { path, sha256: hex, gitSha1 } of manifest.files) {
    expect(hex === undefined ? gitBlobId(bytes(path)) : digests.get(path), path).toBe(hex ?? gitSha1);
  }
}

/** The published JSON Schema of this name takes a value. */
export async function expectValid(schema: 'dir.json' | 'manifest.json', value: unknown): Promise<void> {
  const source = await readFile(new URL(`../../schemas/${schema}`, import.meta.url), 'utf8');
  const ajv = new Ajv2020();
  const isValid = ajv.compile(JSON.parse(source) as object);
  expect(isValid(value), ajv.errorsText(isValid.errors)).toBe(true);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function gitBlobId(bytes: Uint8Array): string {
  return createHash('sha1')
    .update(`blob ${String(bytes.length)}\0`)
    .update(bytes)
    .digest('hex');
}
