import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { PrefetchHandle } from '../../src/client.js';
import { failForNotStarted, startRuns } from '../../src/cli/commands/wait-for-runs.js';
import type { CliContext } from '../../src/cli/context.js';
import { PrefetchError } from '../../src/core/errors.js';

const models = ['org/a', 'org/b', 'org/c'].map((repo) => ({ name: repo, input: { repo } }));
const options = { output: 'text', verbose: false, quiet: false } as const;

function context(): CliContext & { readonly told: () => string } {
  let told = '';
  const stream = () =>
    new Writable({
      write: (chunk, _encoding, done) => {
        told += String(chunk);
        done();
      },
    });
  const { signal } = new AbortController();
  return { stdout: stream(), stderr: stream(), failures: stream(), signal, version: '0', told: () => told };
}

const refusing = (...refused: readonly string[]) => ({
  start: ({ repo }: { readonly repo: string }): Promise<PrefetchHandle> =>
    refused.includes(repo)
      ? Promise.reject(new PrefetchError('HomeBusy', `another command brings ${repo}`))
      : Promise.resolve({ workflowId: repo } as PrefetchHandle),
});

describe('startRuns', () => {
  it('starts the others where one cannot be started, and says which and why', async () => {
    const to = context();
    const { runs, notStarted } = await startRuns(models, refusing('org/b').start, options, to);
    expect(runs.map(({ name }) => name)).toEqual(['org/a', 'org/c']);
    expect(to.told()).toBe('org/b: HomeBusy: another command brings org/b\n');
    expect(() => {
      failForNotStarted(notStarted, models.length);
    }).toThrow('HomeBusy: 1 of 3 were not brought, for the reasons above: org/b');
  });

  it('fails as the first of them where none can be started', async () => {
    const to = context();
    const starting = startRuns(models, refusing('org/a', 'org/b', 'org/c').start, options, to);
    await expect(starting).rejects.toThrow('HomeBusy: another command brings org/a');
    expect(to.told()).toBe('');
  });
});
