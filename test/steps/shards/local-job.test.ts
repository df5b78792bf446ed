import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { lateRefusal } from '../../helpers/refusal.js';
import { publishAsDir, putFile, setUpJob, type JobSetup } from './setup.js';

async function publishedDir(): Promise<{ readonly setup: JobSetup; readonly at: (path: string) => string }> {
  const setup = await setUpJob();
  await publishAsDir(setup.source);
  return { setup, at: (path) => join(setup.source, path) };
}

describe('a plain folder', () => {
  test('is a model by the name of the folder, of which no Hub knows a commit', async () => {
    expect((await (await setUpJob()).job()).model).toEqual({
      repo: 'my.model',
      revision: 'local',
      artifactName: 'my-model',
      selection: { kind: 'all', include: [], exclude: [] },
    });
  });

  test('has all its files for a checkpoint, but for hidden ones and those in hidden folders', async () => {
    const setup = await setUpJob();
    for (const path of ['.gitattributes', '.git/config', 'code/.cache/x.py', 'code/model.py']) {
      await putFile(setup.source, path, 'x');
    }
    const { files } = (await setup.job()).source;
    expect(files.map(({ path }) => path).sort()).toEqual([
      'code/model.py',
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    // Nobody vouches for its content yet.
    expect(files.filter(({ digest }) => digest !== undefined)).toEqual([]);
  });

  test('that is empty, or is not there, is refused', async () => {
    const setup = await setUpJob();
    await rm(setup.source, { recursive: true });
    const { code, message } = await lateRefusal(setup.job());
    expect(code).toBe('InvalidInput');
    expect(message).toContain('holds no files');
  });
});

describe('a Dir', () => {
  test('is a model by its manifest, whose digests count', async () => {
    const { setup } = await publishedDir();
    await putFile(setup.source, 'beside.txt', 'no file of the Dir');
    const { model, source } = await setup.job();
    expect(model).toEqual({
      repo: 'org/model',
      revision: 'main',
      artifactName: 'model',
      selection: { kind: 'all', include: [], exclude: [] },
      commit: 'c'.repeat(40),
    });
    expect(source.files.map(({ path }) => path)).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(source.files.every(({ digest }) => digest?.algorithm === 'sha256')).toBe(true);
  });

  test.each<[string, (path: string) => Promise<void>]>([
    ['lost', rm],
    ['replaced', (path) => writeFile(path, 'other')],
  ])('whose file was %s is refused, and the file is named', async (_what, harm) => {
    const { setup, at } = await publishedDir();
    await harm(at('tokenizer.json'));
    const { code, message, details } = await lateRefusal(setup.job());
    expect(code).toBe('DirNotIntact');
    expect(message).toContain('tokenizer.json changed or went');
    expect(details['paths']).toEqual(['tokenizer.json']);
  });

  test('that is sharded already is refused', async () => {
    const setup = await setUpJob();
    await setup.run();
    await rm(setup.source, { recursive: true });
    await rename(setup.target, setup.source);
    const { code, message } = await lateRefusal(setup.job());
    expect(code).toBe('InvalidInput');
    expect(message).toContain('is sharded already');
  });

  test('whose manifest cannot be read is not taken for a plain folder', async () => {
    const { setup, at } = await publishedDir();
    await writeFile(at('.prefetch/manifest.json'), '{"version":2}');
    const { code, message } = await lateRefusal(setup.job());
    expect(code).toBe('DirNotIntact');
    expect(message).toContain('a manifest that this version cannot read');
  });
});
