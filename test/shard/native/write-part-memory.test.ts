import { describe, expect, test } from 'vitest';
import { closeIdleSockets } from '../../../src/http/agents.js';
import { writePart } from '../../../src/shard/native/write-part.js';
import type { RankLayout } from '../../../src/shard/rank-layout.js';
import { counted, OUT, setUpShards, type ShardChange, type ShardSetup } from '../../helpers/shard-setup.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { expectedFile } from './bytes-in-memory.js';

/** Writes all parts at once, as activities of one process do, and looks at every byte. */
async function writeAtOnce(
  memory: { readonly memoryBytes: number; readonly partSizeBytes: number },
  change: ShardChange,
  name = 'llama-untied'
): Promise<{ readonly layout: RankLayout; readonly peakBytes: number; readonly bytesRead: number }> {
  const setup = await setUpShards(name, memory);
  try {
    const layout = setup.layout(change);
    const { sources, bytesRead } = counted(setup.sources());
    const writing = { context: setup.engine.context, layout, sources, store: setup.store, dirKey: OUT, resume: false };
    const options = { ...live(), onStored: () => undefined };
    const files = await Promise.all(layout.parts.map((part) => writePart(writing, part, options)));
    files.forEach((ofPart, index) => {
      const part = layout.parts[index];
      if (part === undefined) throw new Error(String(index));
      ofPart.forEach(({ path }, rank) => {
        const expected = expectedFile(layout, weightsOf(setup), { part, rank });
        expect(setup.shard(path).equals(expected)).toBe(true);
      });
    });
    expect(setup.engine.memory.inUseBytes).toBe(0);
    return { layout, peakBytes: setup.engine.memory.peakBytes, bytesRead: bytesRead() };
  } finally {
    closeIdleSockets();
    await setup.close();
  }
}

const weightsOf = ({ files, store }: ShardSetup) => files.map(({ key }) => store.objects.get(key) ?? Buffer.alloc(0));

describe('memory', () => {
  test.each([
    [50_000, 8_192],
    [200_000, 16_384],
    [1_000_000, 65_536],
  ])('of %i bytes is never used beyond its budget, whatever is written at once', async (memoryBytes, partSizeBytes) => {
    for (const change of [
      { ranks: 1 },
      { ranks: 2, maxFileSize: 40_000 },
      { ranks: 4, maxFileSize: 100_000 },
      { ranks: 2, dtype: 'float16', maxFileSize: 40_000 },
    ]) {
      const { peakBytes } = await writeAtOnce({ memoryBytes, partSizeBytes }, change);
      expect(peakBytes).toBeLessThanOrEqual(memoryBytes);
      expect(peakBytes).toBeGreaterThan(0);
    }
  });

  test('for one part is enough for many at once, which wait for their turn', async () => {
    const { layout, peakBytes } = await writeAtOnce(
      { memoryBytes: 12_000, partSizeBytes: 8_192 },
      { ranks: 2, maxFileSize: 1 }
    );
    expect(layout.parts.length).toBeGreaterThan(20);
    expect(peakBytes).toBeLessThanOrEqual(12_000);
  });

  test('may be far smaller than a tensor', async () => {
    const { layout, peakBytes } = await writeAtOnce({ memoryBytes: 6_000, partSizeBytes: 4_096 }, { ranks: 1 });
    const largest = Math.max(...layout.parts.flatMap(({ tensors }) => tensors.map(({ start, end }) => end - start)));
    expect(largest).toBeGreaterThan(20 * peakBytes);
  });

  test('for fewer ranks than there are takes them in groups, which costs reading more than once', async () => {
    const change = { ranks: 4 };
    const roomy = await writeAtOnce({ memoryBytes: 1_000_000, partSizeBytes: 8_192 }, change);
    const narrow = await writeAtOnce({ memoryBytes: 24_000, partSizeBytes: 8_192 }, change);
    // Upload parts of two ranks, and buffers for reads, which count too.
    expect(narrow.peakBytes).toBe(2 * 8_192 + 4 * 1_496);
    expect(narrow.bytesRead).toBeGreaterThan(roomy.bytesRead);
  });

  test('that other transfers hold is waited for, and waiting can be given up', async () => {
    const setup = await setUpShards('llama-untied', { memoryBytes: 100_000, partSizeBytes: 16_384 });
    try {
      const layout = setup.layout({ ranks: 2 });
      const { context } = setup.engine;
      const release = await context.memory.reserve(90_000, live());
      const { sources, bytesRead } = counted(setup.sources());
      const writing = { context, layout, sources, store: setup.store, dirKey: OUT, resume: true };
      const [part] = layout.parts;
      if (part === undefined) throw new Error('There is no part.');
      const abort = new AbortController();
      const first = failure(writePart(writing, part, { signal: abort.signal, onStored: () => undefined }));
      const second = writePart(writing, part, { ...live(), onStored: () => undefined });
      abort.abort(new Error('enough'));
      expect(await first).toMatchObject({ message: 'enough' });
      expect(bytesRead()).toBe(0);
      release();
      expect(await second).toHaveLength(2);
    } finally {
      closeIdleSockets();
      await setup.close();
    }
  });
});
