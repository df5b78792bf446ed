import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { composeFile } from './compose-file.js';
import { manifests, theOne, type KubernetesObject } from './manifests.js';

// Formats such as int32 and duration are named in the schemas and defined nowhere.
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
for (const name of ['kubernetes', 'keda', 'compose']) ajv.addSchema(fixture(name), `${name}.json`);

const SCHEMAS: Readonly<Record<string, string>> = {
  'v1 Namespace': 'kubernetes.json#/$defs/io.k8s.api.core.v1.Namespace',
  'v1 ServiceAccount': 'kubernetes.json#/$defs/io.k8s.api.core.v1.ServiceAccount',
  'v1 ConfigMap': 'kubernetes.json#/$defs/io.k8s.api.core.v1.ConfigMap',
  'v1 Secret': 'kubernetes.json#/$defs/io.k8s.api.core.v1.Secret',
  'apps/v1 Deployment': 'kubernetes.json#/$defs/io.k8s.api.apps.v1.Deployment',
  'keda.sh/v1alpha1 ScaledObject': 'keda.json#/$defs/ScaledObject',
  'keda.sh/v1alpha1 ScaledJob': 'keda.json#/$defs/ScaledJob',
  'keda.sh/v1alpha1 TriggerAuthentication': 'keda.json#/$defs/TriggerAuthentication',
};

describe('the manifests', () => {
  test.each(manifests.map(({ file, object }) => [object.kind, object.metadata.name, file, object] as const))(
    'have a %s %s as its schema wants it (%s)',
    (_kind, _name, _file, object) => {
      expect(faults(object)).toBe('');
    }
  );

  test.each([
    ['Deployment', 'worker', ['spec', 'template', 'spec', 'containers', 0, 'resources'], 'limit'],
    ['ScaledObject', 'shard-worker', ['spec'], 'coolDownPeriod'],
    ['ScaledJob', 'gpu-worker-a100-4', ['spec', 'scalingStrategy'], 'strategie'],
    ['ScaledJob', 'gpu-worker-a100-4', ['spec', 'jobTargetRef', 'template', 'spec'], 'tolerationSeconds'],
    ['TriggerAuthentication', 'temporal', ['spec', 'secretTargetRef', 0], 'keys'],
  ] as const)('would not pass with a field in a %s %s at %j called %s', (kind, name, path, field) => {
    const found = manifests.find(({ object }) => object.kind === kind && object.metadata.name === name);
    const changed = structuredClone(found?.object);
    Object.assign(at(changed, path), { [field]: '1' });
    expect(faults(changed)).toContain('must NOT have additional properties');
  });

  test('would not pass with a number where KEDA takes text', () => {
    const changed = structuredClone(theOne('ScaledJob', 'gpu-worker-a100-4'));
    Object.assign(at(changed, ['spec', 'triggers', 0, 'metadata']), { targetQueueSize: 1 });
    expect(faults(changed)).toContain('metadata/targetQueueSize must be string');
  });
});

describe('the compose file', () => {
  test('is as its specification wants it', () => {
    expect(faultsBy('compose.json', composeFile)).toBe('');
  });

  test.each([
    [['services', 'worker'], 'stop_grace_perriod'],
    [['services', 'gpu-worker', 'deploy', 'resources', 'reservations', 'devices', 0], 'capability'],
  ] as const)('would not pass with a field at %j called %s', (path, field) => {
    const changed = structuredClone(composeFile);
    Object.assign(at(changed, path), { [field]: '1' });
    expect(faultsBy('compose.json', changed)).toContain('must NOT have additional properties');
  });
});

function faults(object: KubernetesObject | undefined): string {
  const kind = `${String(object?.apiVersion)} ${String(object?.kind)}`;
  return faultsBy(SCHEMAS[kind] ?? `no schema for ${kind}`, object);
}

/** What a schema finds wrong, as text; empty when nothing is. */
function faultsBy(schema: string, value: unknown): string {
  const validate = ajv.getSchema(schema);
  if (validate === undefined) return schema;
  return validate(value) === true ? '' : ajv.errorsText(validate.errors);
}

function at(value: unknown, path: readonly (string | number)[]): object {
  const found = path.reduce<unknown>((node, key) => Reflect.get(Object(node) as object, key), value);
  if (typeof found !== 'object' || found === null) throw new Error(`Nothing at ${path.join('.')}`);
  return found;
}

function fixture(name: string): object {
  return JSON.parse(readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), 'utf8')) as object;
}
