import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { LiveProgress, PrefetchHandle } from '../../../src/client.js';
import { followRun } from '../../../src/cli/progress/follow-run.js';
import { neverBroken } from '../../../src/cli/session/session.js';
import type { Dir } from '../../../src/core/contract.js';

const dir: Dir = {
  path: 'file:///store/m/c/',
  artifactName: 'm',
  repo: 'org/m',
  revision: 'main',
  commit: 'c',
  format: 'huggingface',
  fileCount: 1,
  totalBytes: 4,
  manifestPath: 'file:///store/m/c/.prefetch/manifest.json',
  manifestDigest: 'sha256:0',
};
const done: LiveProgress = { phase: 'done', fileCount: 1, totalBytes: 4, filesDone: 1, bytesDone: 4, cacheHit: false };

describe('followRun', () => {
  it('shows how a run went that ended before the first look', async () => {
    const { context, lines } = terminal();
    const handle = run({ result: () => Promise.resolve(dir), progress: () => Promise.resolve(done) });
    expect(await followRun(handle, { kind: 'cluster', broken: neverBroken }, context)).toEqual(dir);
    expect(lines.join('')).toContain('Done: 1 file, 4 B');
  });

  it('goes on when nobody answers the question how far the run is', async () => {
    const { context } = terminal();
    const handle = run({ result: () => Promise.resolve(dir), progress: () => Promise.reject(new Error('no worker')) });
    expect(await followRun(handle, { kind: 'cluster', broken: neverBroken }, context)).toEqual(dir);
  });

  it('fails with what broke down, though the run goes on', async () => {
    const { context } = terminal();
    const broken = Promise.reject(new Error('the server ended'));
    await expect(followRun(run({ result: never }), { kind: 'cluster', broken }, context)).rejects.toThrow(
      'the server ended'
    );
  });

  it('leaves no listeners behind with each look', async () => {
    const warnings: string[] = [];
    const onWarning = (warning: Error) => warnings.push(warning.name);
    process.on('warning', onWarning);
    const { context } = terminal();
    const { promise: result, resolve: finish } = deferred<Dir>();
    let looks = 0;
    const progress = () => {
      looks += 1;
      if (looks === 15) finish(dir);
      return Promise.resolve(done);
    };
    await followRun(
      run({ result: () => result, progress }),
      { kind: 'cluster', broken: neverBroken },
      { ...context, pollMs: 1 }
    );
    // Node tells warnings a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    expect(looks).toBeGreaterThanOrEqual(15);
    expect(warnings).toEqual([]);
  });
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((settle) => (resolve = settle));
  return { promise, resolve };
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function run(overrides: Partial<PrefetchHandle>): PrefetchHandle {
  return {
    workflowId: 'prefetch/org/m@main/0',
    result: never,
    progress: never,
    status: () => Promise.resolve('running'),
    cancel: () => Promise.resolve(),
    ...overrides,
  };
}

function terminal(): { context: { stderr: Writable; signal: AbortSignal }; lines: string[] } {
  const lines: string[] = [];
  const stderr = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(chunk.toString());
      done();
    },
  });
  return { context: { stderr, signal: new AbortController().signal }, lines };
}
