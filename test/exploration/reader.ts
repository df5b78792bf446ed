import { manifestSchema, type Manifest } from '../../src/core/schemas/manifest.js';
import type { Content } from './content.js';
import type { Blob, StoreState } from './store-state.js';

const MANIFEST = '.prefetch/manifest.json';

/** What is wrong with published Dirs; nothing when every object that a manifest names is there, byte for byte. */
export type Findings = readonly string[];

/**
 * A reader that sees all objects at one moment; `before` is how the scenario began: what was wrong
 * or missing under that very manifest then does not count as long as it is as it was.
 */
export function lookAt(state: StoreState, before: StoreState): Findings {
  return [...state.objects].flatMap(([key, blob]) => {
    const files = filesOf(key, blob.content);
    const dir = key.slice(0, -MANIFEST.length);
    return (files ?? []).flatMap((file) => {
      const at = dir + file.path;
      const found = state.objects.get(at);
      const was = before.objects.get(at);
      const asBefore = found?.content === was?.content && found?.etag === was?.etag;
      if (isRight(found, file) || (asBefore && before.objects.get(key)?.content === blob.content)) return [];
      return [`${found === undefined ? 'missing' : 'wrong'}: ${at}`];
    });
  });
}

/** Whether the object at a key is a manifest, and all that it names is right. */
export function isGoodManifest(state: StoreState, key: string): boolean {
  const manifest = state.objects.get(key);
  const files = manifest === undefined ? undefined : filesOf(key, manifest.content);
  const dir = key.slice(0, -MANIFEST.length);
  return files?.every((file) => isRight(state.objects.get(dir + file.path), file)) ?? false;
}

/** Whether a manifest is there that this version cannot read: it is another's, and nobody may touch it. */
export function isForeignManifest(state: StoreState, key: string): boolean {
  const found = state.objects.get(key);
  return key.endsWith(MANIFEST) && found !== undefined && filesOf(key, found.content) === undefined;
}

/** Files that belong to plans, which nobody needs once the Dir is published. */
export function plansIn(state: StoreState): string[] {
  return [...state.objects.keys()].filter((key) => /\/\.prefetch\/[0-9a-f]{16}\//.test(key));
}

type ManifestFile = Manifest['files'][number];

const parsed = new Map<Content, readonly ManifestFile[] | undefined>();

function filesOf(key: string, content: Content): readonly ManifestFile[] | undefined {
  if (!key.endsWith(MANIFEST)) return undefined;
  if (!parsed.has(content)) parsed.set(content, read(content));
  return parsed.get(content);
}

function read({ bytes }: Content): readonly ManifestFile[] | undefined {
  try {
    const result = manifestSchema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
    return result.success ? result.data.files : undefined;
  } catch {
    return undefined;
  }
}

function isRight(found: Blob | undefined, { size, sha256, gitSha1 }: ManifestFile): boolean {
  if (found?.content.bytes.length !== size) return false;
  return sha256 === undefined ? found.content.gitSha1 === gitSha1 : found.content.sha256 === sha256;
}
