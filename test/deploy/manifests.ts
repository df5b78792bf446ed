import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

export const repository = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(repository, 'deploy/kubernetes');

const objectSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string() }),
});

export type KubernetesObject = z.output<typeof objectSchema>;

export interface Manifest {
  /** Path below deploy/kubernetes. */
  readonly file: string;
  readonly object: KubernetesObject;
}

const kustomizationSchema = z.strictObject({
  apiVersion: z.string(),
  kind: z.enum(['Kustomization', 'Component']),
  namespace: z.string().optional(),
  resources: z.array(z.string()),
  components: z.array(z.string()).default([]),
  patches: z
    .array(z.strictObject({ target: z.strictObject({ group: z.string(), kind: z.string() }), patch: z.string() }))
    .default([]),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string(), newTag: z.string() })).default([]),
  replicas: z.array(z.strictObject({ name: z.string(), count: z.number() })).default([]),
});

export interface Kustomization extends z.output<typeof kustomizationSchema> {
  /** Its folder below deploy/kubernetes. */
  readonly folder: string;
  /** The other YAML files in that folder. */
  readonly beside: readonly string[];
}

/** Every object in the YAML files, but for those that steer kustomize. */
export const manifests: readonly Manifest[] = yamlFiles()
  .filter((file) => !file.endsWith('kustomization.yaml'))
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join('; ')}`);
      return { file, object: objectSchema.parse(document.toJS()) };
    })
  );

export const kustomizations: readonly Kustomization[] = yamlFiles()
  .filter((file) => file.endsWith('kustomization.yaml'))
  .map((file) => {
    const its = file.slice(0, file.lastIndexOf('/'));
    const beside = yamlFiles().flatMap((other) =>
      other !== file && other.startsWith(`${its}/`) ? [other.slice(its.length + 1)] : []
    );
    return { ...kustomizationSchema.parse(parse(readText(file))), folder: its, beside };
  });

/** The objects of one kind. */
export function ofKind(...kinds: string[]): readonly Manifest[] {
  return manifests.filter(({ object }) => kinds.includes(object.kind));
}

/** The one object of this kind and name. */
export function theOne(kind: string, name: string): KubernetesObject {
  const [found, ...more] = ofKind(kind).filter(({ object }) => object.metadata.name === name);
  if (found === undefined || more.length > 0) throw new Error(`Expected one ${kind} ${name}`);
  return found.object;
}

/** Text of a file below deploy/kubernetes. */
export function readText(file: string): string {
  return readFileSync(join(folder, file), 'utf8');
}

function yamlFiles(): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.ya?ml$/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
