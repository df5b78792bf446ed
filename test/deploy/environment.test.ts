import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { ownServices } from './compose-file.js';
import { environmentOf, stages } from './dockerfile.js';
import { ofKind, repository } from './manifests.js';
import { settings, workloads } from './workloads.js';

/** Node itself and what it runs read this one. */
const OF_NODE = ['NODE_ENV'];

test.each([
  ['the Dockerfile', stages.flatMap((stage) => Object.keys(environmentOf(stage)))],
  ['the compose file', ownServices.flatMap(({ environment }) => Object.keys(environment))],
  ['the config map', Object.keys(settings)],
  ['the secrets', ofKind('Secret').flatMap(({ object }) => Object.keys(Object(object['stringData']) as object))],
  ['the pods', workloads.flatMap(({ template }) => template.spec.containers[0].env.map(({ name }) => name))],
])('%s: every variable is one that the configuration names or the Temporal SDK reads', (_where, names) => {
  expect(names.length).toBeGreaterThan(0);
  const known = [...documented(), ...readByTemporal(), ...OF_NODE];
  expect(names.filter((name) => !known.includes(name))).toEqual([]);
});

test('workers of the compose file all use one store and one server', () => {
  const shared = ['TEMPORAL_ADDRESS', 'MODEL_PREFETCH_STORE', 'AWS_ENDPOINT_URL_S3', 'AWS_ACCESS_KEY_ID'];
  const values = ownServices.map(({ environment }) => JSON.stringify(shared.map((name) => environment[name])));
  expect(new Set(values).size).toBe(1);
  expect(z.array(z.string()).parse(JSON.parse(values[0] ?? ''))).toHaveLength(shared.length);
});

function documented(): string[] {
  const text = readFileSync(join(repository, 'docs/configuration.md'), 'utf8');
  return [...text.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].flatMap(([, name]) => name ?? []);
}

/** The names that the SDK's own reader of the environment has in its code. */
function readByTemporal(): string[] {
  const entry = createRequire(import.meta.url).resolve('@temporalio/envconfig');
  const code = readFileSync(join(entry, '../envconfig-toml.js'), 'utf8');
  const names = [...code.matchAll(/'(TEMPORAL_[A-Z_]+)'/g)].flatMap(([, name]) => name ?? []);
  if (names.length === 0) throw new Error('The SDK reads its variables somewhere else now');
  return names;
}
