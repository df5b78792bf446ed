import type { PrefetchSpec } from '../../src/core/contract.js';

/** A checked and resolved request for all files of `org/model`, bound for this root. */
export function modelSpec(destination: string): PrefetchSpec {
  const commit = 'a'.repeat(40);
  return {
    version: 1,
    repo: 'org/model',
    revision: 'main',
    commit,
    artifactName: 'model',
    selection: { kind: 'all', include: [], exclude: [] },
    destination,
    dirKey: `model/${commit}/`,
    hubAnswered: true,
  };
}
