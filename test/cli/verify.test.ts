import { appendFile, copyFile, open, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { NEWEST_VERIFIED_VLLM } from '../../src/core/vllm-releases.js';
import { flipBit, publishAsDir } from '../steps/shards/setup.js';
import { checkpointFolder, type CheckpointFolder } from './checkpoint-folder.js';
import { runCli } from './cli-process.js';

const SHARD = 'model-rank-1-part-0.safetensors';

describe('model-prefetch verify DIR', () => {
  it('says of shards that all is there, of which model, and what vLLM they are for', async () => {
    const { to } = await sharded();
    const run = await runCli([
      'verify',
      to,
      '--tensor-parallel-size',
      '2',
      '--dtype',
      'auto',
      '--vllm-version',
      'v0.20.1',
    ]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(/^Dir +file:\/\/.*\/shards\/$/m);
    expect(run.stdout).toMatch(/^Verified +sizes and headers; --deep reads every byte$/m);
    expect(run.stdout).toMatch(/^Shards +tensor parallel 2, bfloat16, engine native, vLLM 0\.14\.0 to 0\.32\.0/m);
  });

  it('reads every byte with --deep, of a Dir as the Hub has it too, and prints JSON', async () => {
    const { model } = await checkpointFolder();
    await publishAsDir(model);
    const run = await runCli(['verify', pathToFileURL(model).href, '--deep', '--output', 'json']);
    expect(run.code, run.stderr).toBe(0);
    expect(JSON.parse(run.stdout)).toMatchObject({
      repo: 'org/model',
      format: 'huggingface',
      files: 3,
      compared: 'bytes',
      problems: [],
    });
  });

  it.each<[string, readonly string[], (to: string) => Promise<void>, string]>([
    ['a file that is missing', [], (to) => rm(join(to, 'tokenizer.json')), 'tokenizer.json: is missing'],
    ['a rank that is missing', [], (to) => rm(join(to, SHARD)), 'rank 1 of 2 is missing: none of its 1 files is there'],
    ['a truncated part', [], (to) => truncate(join(to, SHARD), 1000), `${SHARD}: truncated: has 1000 bytes, expected`],
    ['a file that grew', [], (to) => appendFile(join(to, SHARD), 'x'), `${SHARD}: has `],
    ['a part too many', [], addRank, 'model-rank-2-part-0.safetensors: is no file of this Dir, and vLLM would load it'],
    [
      'a flipped bit, by --deep',
      ['--deep'],
      (to) => flipBit(join(to, SHARD), 100_000),
      `${SHARD}: its bytes come to sha256:`,
    ],
    ['a header that is none', [], breakHeader, `${SHARD}: `],
    ['another number of ranks', ['--tensor-parallel-size', '4'], leave, 'made for tensorParallelSize 2'],
    ['another data type', ['--dtype', 'float16'], leave, 'the weights are bfloat16'],
    ['another release', ['--vllm-version', '0.13.0'], leave, `made for vLLM 0.14.0 to ${NEWEST_VERIFIED_VLLM}`],
  ])('finds %s, with code 1 and DirNotIntact', async (_case, flags, spoil, text) => {
    const { to } = await sharded();
    await spoil(to);
    const run = await runCli(['verify', to, ...flags]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain(text);
    expect(run.stderr.trim().split('\n').at(-1)).toMatch(/^DirNotIntact: file:\/\/.*\/shards\/ has /);
    const asJson = await runCli(['verify', to, ...flags, '--output', 'json']);
    expect(asJson.code).toBe(1);
    expect(JSON.parse(asJson.stdout)).toMatchObject({
      problems: expect.arrayContaining([expect.stringContaining(text)]) as string[],
    });
  });

  it.each([
    ['a folder that was never published', 'model'],
    ['a folder that is not there', 'absent'],
  ])('says of %s that it is no Dir, with code 1', async (_case, name) => {
    const { folder } = await checkpointFolder();
    const run = await runCli(['verify', join(folder, name), '--output', 'json']);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toMatch(/^DirNotIntact: file:\/\/.* has no manifest that can be read: it is no Dir/);
  });

  it.each([
    [['verify', ''], 'DIR: expected a URL or a path'],
    [['verify', 'gs://bucket/model'], 'DIR: "gs://bucket/model" has the scheme gs://'],
    [['verify', '.', '--vllm-version', 'newest'], `--vllm-version: expected a release such as ${NEWEST_VERIFIED_VLLM}`],
    [['verify', '.', '--to', 'x'], "unknown option '--to'"],
  ])('refuses %j as wrong usage', async (args, text) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^InvalidInput: .*\n$/);
    expect(stderr).toContain(text);
  });
});

/** A Dir with the shards of two ranks. */
async function sharded(): Promise<CheckpointFolder> {
  const place = await checkpointFolder();
  const run = await runCli(['shard', place.model, '--to', place.to, '--tensor-parallel-size', '2']);
  expect(run.code, run.stderr).toBe(0);
  return place;
}

async function addRank(to: string): Promise<void> {
  await copyFile(join(to, SHARD), join(to, 'model-rank-2-part-0.safetensors'));
}

/** The same number of bytes, the first of which say how long the header is. */
async function breakHeader(to: string): Promise<void> {
  const file = await open(join(to, SHARD), 'r+');
  await file.write(Buffer.alloc(8, 0xff), 0, 8, 0);
  await file.close();
}

function leave(): Promise<void> {
  return Promise.resolve();
}
