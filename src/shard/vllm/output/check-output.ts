import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { oneLine } from '../../../core/control-characters.js';
import { isPrefetchError, PrefetchError } from '../../../core/errors.js';
import type { TensorSpec } from '../../../safetensors/index.js';
import type { Scratch } from '../../../transfer/disk/scratch.js';
import { shardFileName } from '../../file-names.js';
import type { VllmShardRequest } from '../job.js';
import { compareWithExpected } from './compare-with-expected.js';
import { findMissingWeights } from './find-missing-weights.js';
import { readTensors } from './read-tensors.js';

/** A file that vLLM wrote, and what its header says. */
export interface ShardFile {
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly rank: number;
  readonly part: number;
  readonly tensors: readonly TensorSpec[];
}

const SHOWN = 10;

/**
 * Looks at all that vLLM wrote, before anything is uploaded: vLLM reports success whatever it wrote, and loads shards of
 * another model without a word. `ShardsIncomplete` says what is wrong. Only headers are read.
 */
export async function checkOutput(
  { args, expected }: Pick<VllmShardRequest, 'args' | 'expected'>,
  { source, output }: Pick<Scratch, 'source' | 'output'>,
  { signal }: { readonly signal: AbortSignal }
): Promise<{ readonly files: readonly ShardFile[]; readonly holdsBothEmbeddings: boolean }> {
  const { tensorParallelSize: ranks, filePattern } = args;
  const names = await readdir(output);
  const found = locate(names, { ranks, filePattern });
  if (found.problems.length > 0) throw incomplete(found.problems);
  const files: ShardFile[] = [];
  for (const place of found.files) {
    signal.throwIfAborted();
    const path = join(output, place.name);
    files.push({ ...place, path, size: (await stat(path)).size, tensors: await tensorsOf(path, place.name) });
  }
  const problems = [
    ...compareRanks(files),
    ...(expected === undefined
      ? await findMissingWeights(files, { source, ranks, signal })
      : compareWithExpected(files, expected)),
  ];
  if (problems.length > 0) throw incomplete(problems);
  return { files, holdsBothEmbeddings: holdsBothEmbeddings(files) };
}

type Place = Pick<ShardFile, 'name' | 'rank' | 'part'>;

/** Every rank has parts from 0 on, and the same number of them; there is nothing else. */
function locate(
  names: readonly string[],
  { ranks, filePattern }: { readonly ranks: number; readonly filePattern: string }
): { readonly files: readonly Place[]; readonly problems: readonly string[] } {
  const there = new Set(names);
  const place = (rank: number, part: number) => ({ name: shardFileName({ filePattern }, rank, part), rank, part });
  let parts = 0;
  const ofEveryRank = (part: number) => Array.from({ length: ranks }, (_, rank) => place(rank, part));
  // All ranks have the same shapes, and so the same parts: a part that any rank has, all have.
  while (ofEveryRank(parts).some(({ name }) => there.has(name))) parts++;
  const files = Array.from({ length: ranks }, (_, rank) => rank).flatMap((rank) =>
    Array.from({ length: parts }, (_, part) => place(rank, part))
  );
  const wanted = new Set(files.map(({ name }) => name));
  return {
    files,
    problems: [
      ...(parts === 0 ? [`there is no ${place(0, 0).name}`] : []),
      ...[...wanted].filter((name) => !there.has(name)).map((name) => `there is no ${name}`),
      ...names.filter((name) => !wanted.has(name)).map((name) => `there is ${name}, which is none of theirs`),
    ],
  };
}

async function tensorsOf(path: string, name: string): Promise<readonly TensorSpec[]> {
  try {
    return await readTensors(path);
  } catch (error) {
    if (isPrefetchError(error, 'InvalidSafetensors')) throw incomplete([`${name}: ${error.message}`], error);
    throw error;
  }
}

function compareRanks(files: readonly ShardFile[]): string[] {
  const first = files.filter(({ rank }) => rank === 0);
  const wanted = new Map(first.map((file) => [file.part, namesOf(file)]));
  const counts = new Map<string, number>();
  for (const { name } of first.flatMap(({ tensors }) => tensors)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [
    ...files
      .filter((file) => namesOf(file) !== wanted.get(file.part))
      .map(({ name, rank }) => `${name}: rank ${rank} has other tensors than rank 0`),
    ...[...counts].filter(([, count]) => count > 1).map(([name]) => `${name} is in several parts`),
  ];
}

function namesOf({ tensors }: ShardFile): string {
  return tensors.map(({ name }) => JSON.stringify(name)).join();
}

function holdsBothEmbeddings(files: readonly ShardFile[]): boolean {
  const names = files.filter(({ rank }) => rank === 0).flatMap(({ tensors }) => tensors.map(({ name }) => name));
  return (
    names.some((name) => /(^|\.)lm_head\.weight$/.test(name)) &&
    names.some((name) => /embed_tokens\.weight$/.test(name))
  );
}

function incomplete(problems: readonly string[], cause?: unknown): PrefetchError {
  const shown = problems.slice(0, SHOWN).map(oneLine);
  const rest = problems.length > SHOWN ? [`and ${problems.length - SHOWN} more`] : [];
  return new PrefetchError(
    'ShardsIncomplete',
    `What vLLM wrote is not the model, and nothing of it was uploaded: ${[...shown, ...rest].join('; ')}`,
    { details: { problems: shown }, ...(cause === undefined ? {} : { cause }) }
  );
}
