import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ByteLocation } from '../../src/core/byte-source.js';
import type { FileReference, Hub, HubFile } from '../../src/hub/hub.js';
import { openSource } from '../../src/hub/hub-source.js';
import { readPolicy } from '../../src/transfer/budget/policies.js';
import { until } from '../helpers/local-server.js';
import { quickPolicies } from '../helpers/quick-policies.js';

const file: HubFile & FileReference = {
  repo: 'owner/model',
  commit: 'c'.repeat(40),
  path: 'a/b.bin',
  size: 10,
  digest: { algorithm: 'sha256', hex: 'd'.repeat(64) },
};
const signal = new AbortController().signal;
const policy = readPolicy(quickPolicies);

interface Asked {
  readonly token: string | undefined;
  readonly signal: AbortSignal;
  readonly answer: (location: ByteLocation) => void;
  readonly fail: (error: Error) => void;
}

/** A Hub that answers when the test says so. */
function manualHub(): { hub: Hub; asked: Asked[] } {
  const asked: Asked[] = [];
  const unused = () => {
    throw new Error('not used');
  };
  const hub: Hub = {
    endpoint: 'http://hub.example',
    whoAmI: unused,
    resolveRevision: unused,
    checkAccess: unused,
    listFiles: unused,
    describe: unused,
    read: (wanted, options) => Promise.resolve(Buffer.from(`${wanted.path} ${options?.token ?? ''}`)),
    locate: (_, options) =>
      new Promise((answer, fail) => {
        const given = options?.signal ?? signal;
        given.addEventListener('abort', () => {
          fail(new Error('given up'));
        });
        asked.push({ token: options?.token, signal: given, answer, fail });
      }),
  };
  return { hub, asked };
}

function location(number: number, expiresAt = Date.now() + 60_000): ByteLocation {
  return { url: `http://cdn.example/${number}`, headers: {}, expiresAt };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('openSource', () => {
  test('says what the file is and reads it whole with the token', async () => {
    const source = openSource(manualHub().hub, file, { token: 't', policy });
    expect(source).toMatchObject({ path: file.path, size: 10, digest: file.digest });
    await expect(source.readWhole({ signal })).resolves.toEqual(Buffer.from('a/b.bin t'));
  });

  test('asks once for all ranges', async () => {
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { token: 't', policy });
    const ranges = [source.locate({ signal }), source.locate({ signal })];
    asked[0]?.answer(location(1));
    await expect(Promise.all(ranges)).resolves.toEqual([location(1), location(1)].map(anyExpiry));
    await source.locate({ signal });
    expect(asked.map(({ token }) => token)).toEqual(['t']);
  });

  test('asks again when the location has expired', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { policy });
    const first = source.locate({ signal });
    asked[0]?.answer(location(1));
    await first;
    vi.setSystemTime(Date.now() + 60_000);
    const second = source.locate({ signal });
    asked[1]?.answer(location(2));
    await expect(second).resolves.toMatchObject({ url: 'http://cdn.example/2' });
  });

  test('asks once for all ranges that were refused with the same location', async () => {
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { policy });
    const first = source.locate({ signal });
    asked[0]?.answer(location(1));
    const stale = await first;
    const early = [source.locate({ signal, stale }), source.locate({ signal, stale })];
    asked[1]?.answer(location(2));
    const late = await Promise.all(early).then(() => source.locate({ signal, stale }));
    expect(late.url).toBe('http://cdn.example/2');
    expect(asked).toHaveLength(2);
  });

  test('lets one range give up without the others', async () => {
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { policy });
    const impatient = new AbortController();
    const gone = source.locate({ signal: impatient.signal });
    const patient = source.locate({ signal });
    impatient.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    asked[0]?.answer(location(1));
    await expect(patient).resolves.toMatchObject({ url: 'http://cdn.example/1' });
    expect(asked).toHaveLength(1);
  });

  test('gives the request up when the last range has gone, and starts anew for the next', async () => {
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { policy });
    const impatient = new AbortController();
    const gone = source.locate({ signal: impatient.signal });
    impatient.abort(new Error('enough'));
    await expect(gone).rejects.toThrow('enough');
    await until(() => asked[0]?.signal.aborted === true, 'the request to be given up');
    const next = source.locate({ signal });
    asked[1]?.answer(location(2));
    await expect(next).resolves.toMatchObject({ url: 'http://cdn.example/2' });
  });

  test('fails all ranges that wait, and asks again for the next', async () => {
    const { hub, asked } = manualHub();
    const source = openSource(hub, file, { policy });
    const both = [source.locate({ signal }), source.locate({ signal })];
    asked[0]?.fail(new Error('no luck'));
    for (const range of both) await expect(range).rejects.toThrow('no luck');
    const next = source.locate({ signal });
    asked[1]?.answer(location(2));
    await expect(next).resolves.toMatchObject({ url: 'http://cdn.example/2' });
  });

  test('asks nothing for a caller who has gone already', async () => {
    const { hub, asked } = manualHub();
    await expect(
      openSource(hub, file, { policy }).locate({ signal: AbortSignal.abort(new Error('gone')) })
    ).rejects.toThrow('gone');
    expect(asked).toEqual([]);
  });
});

function anyExpiry({ url, headers }: ByteLocation) {
  return { url, headers, expiresAt: expect.any(Number) as number };
}
