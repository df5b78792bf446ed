import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { countMatching, listGpus, parseGpuSpec } from '../../../../src/shard/vllm/host/gpus.js';
import { live } from '../../../helpers/transfer-setup.js';
import { tmpFolder } from '../../../helpers/tmp.js';

/** A folder with an `nvidia-smi` that prints these names. */
async function hostWith(...names: readonly string[]): Promise<string> {
  const folder = await tmpFolder();
  const program = join(folder, 'nvidia-smi');
  await writeFile(
    program,
    `#!/bin/sh\n[ "$1" = --query-gpu=name ] || exit 9\n${names.map((n) => `echo '${n}'\n`).join('')}`
  );
  await chmod(program, 0o755);
  return folder;
}

test('MODEL:COUNT is read, and a number alone is a count', () => {
  expect(parseGpuSpec('A100:4')).toEqual({ model: 'A100', count: 4 });
  expect(parseGpuSpec('2')).toEqual({ count: 2 });
});

describe('GPUs of this host', () => {
  test('are those that nvidia-smi names', async () => {
    const PATH = await hostWith('NVIDIA A100-SXM4-80GB', 'NVIDIA A100-SXM4-80GB');
    expect(await listGpus({ PATH }, live())).toEqual(['NVIDIA A100-SXM4-80GB', 'NVIDIA A100-SXM4-80GB']);
  });

  test('are only as many as CUDA_VISIBLE_DEVICES lets a process see', async () => {
    const PATH = await hostWith('NVIDIA L4', 'NVIDIA L4', 'NVIDIA L4');
    expect(await listGpus({ PATH, CUDA_VISIBLE_DEVICES: '1,2' }, live())).toHaveLength(2);
    expect(await listGpus({ PATH, CUDA_VISIBLE_DEVICES: '' }, live())).toEqual([]);
  });

  test('are unknown where there is no nvidia-smi', async () => {
    expect(await listGpus({ PATH: await tmpFolder() }, live())).toBeUndefined();
  });

  test('a search that is given up ends with its reason', async () => {
    const abort = new AbortController();
    abort.abort(new Error('given up'));
    await expect(listGpus({}, { signal: abort.signal })).rejects.toThrow('given up');
  });
});

test.each([
  ['A100', 1],
  ['a100', 1],
  ['A100-80GB', 1],
  ['A100-40GB', 0],
  ['A10', 0],
  ['H10', 0],
  ['H100', 1],
  ['H100 PCIe', 1],
  ['L4', 0],
  [undefined, 2],
])('of an A100 and an H100, model %s matches %d', (model, count) => {
  expect(countMatching(['NVIDIA A100-SXM4-80GB', 'NVIDIA H100 PCIe'], model)).toBe(count);
});

test.each([
  ['L4', 'NVIDIA L40S'],
  ['A100', 'NVIDIA RTX A1000'],
  ['A10', 'NVIDIA A10G'],
])('%s is not part of the name %s', (model, name) => {
  expect(countMatching([name], model)).toBe(0);
});
