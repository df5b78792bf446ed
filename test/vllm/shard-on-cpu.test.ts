import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { copyFile, cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { VllmProgress } from '../../src/shard/vllm/job.js';
import { runVllmJob } from '../../src/shard/vllm/run-job.js';
import { until } from '../helpers/local-server.js';
import { failure, live } from '../helpers/transfer-setup.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';
import { makeCheckpoints, type CheckpointName } from './checkpoints.js';
import { completeShards, openFolder, prepareDir, processesIn, SHARD_PROCESS, type Prepared } from './setup.js';
import { describeWithVllmInFull, runScript, VLLM_ON_CPU } from './vllm-python.js';

const names = ['llama', 'llama-large', 'qwen3-moe'] as const satisfies readonly CheckpointName[];

describeWithVllmInFull('sharding with real vLLM', () => {
  let folder = '';
  let checkpoints: Readonly<Record<string, string>> = {};

  beforeAll(async () => {
    folder = await createTmpFolder();
    checkpoints = await makeCheckpoints(folder, names);
  }, 300_000);
  afterAll(() => removeFolder(folder));

  /** A Dir in a folder that is a store. */
  async function dirOf(
    checkpoint: string,
    args: Partial<Prepared['request']['args']> = {}
  ): Promise<Prepared & { readonly root: string; readonly scratchFolder: string }> {
    const root = await tmpFolder();
    const scratchFolder = join(root, 'scratch');
    return {
      ...(await prepareDir(checkpoint, { store: await openFolder(root), scratchFolder, args })),
      root,
      scratchFolder,
    };
  }

  test.each(['llama', 'qwen3-moe'] as const)(
    'an engine computes the same from the shards of %s as from the original',
    { timeout: 900_000 },
    async (name) => {
      const { request, dependencies, root } = await dirOf(checkpoints[name] ?? '');
      await runVllmJob(request, dependencies, live());
      const sharded = await completeShards(root);
      const where = ['--original', join(root, 'model/plain'), '--sharded', sharded];
      const { code, output } = await runScript('load_oracle.py', [...where, '--tp', '2']);
      expect(output).toContain('SAME');
      expect(code).toBe(0);
    }
  );

  test(
    'an engine on a CPU saves shards that lack most weights, and they are refused',
    { timeout: 600_000 },
    async () => {
      const { request, dependencies, root } = await dirOf(checkpoints['llama'] ?? '', { tensorParallelSize: 1 });
      const driver = fileURLToPath(new URL('engine_save.py', import.meta.url));
      const error = await failure(runVllmJob(request, { ...dependencies, driver }, live()));
      expect(error).toMatchObject({ code: 'ShardsIncomplete', permanent: true });
      const kinds = ['self_attn.q_proj', 'self_attn.o_proj', 'mlp.gate_proj', 'mlp.down_proj'];
      for (const kind of kinds) expect(String(error)).toContain(`model.layers.*.${kind}.weight`);
      expect(await readdir(join(root, 'model'))).toEqual(['plain']);
    }
  );

  test('cancelled in the middle, it leaves no process and no file', { timeout: 120_000 }, async () => {
    const { request, dependencies, root, scratchFolder } = await dirOf(checkpoints['llama-large'] ?? '');
    const abort = new AbortController();
    let running: number[] = [];
    const onProgress = ({ phase }: VllmProgress) => {
      if (phase !== 'load' || abort.signal.aborted) return;
      running = processesIn(scratchFolder);
      abort.abort(new Error('cancelled'));
    };
    await expect(runVllmJob(request, dependencies, { signal: abort.signal, onProgress })).rejects.toThrow('cancelled');
    expect(running.length).toBeGreaterThanOrEqual(2);
    expect(processesIn(scratchFolder)).toEqual([]);
    expect(await readdir(scratchFolder)).toEqual([]);
    expect(await readdir(join(root, 'model'))).toEqual(['plain']);
  });

  test(
    'killed with SIGKILL in the middle, it leaves no process, and the next attempt ends it',
    { timeout: 240_000 },
    async () => {
      const { request, dependencies, root, scratchFolder } = await dirOf(checkpoints['llama-large'] ?? '');
      const parent = spawn(
        process.execPath,
        ['--import', 'tsx', SHARD_PROCESS, `file://${root}/`, scratchFolder, JSON.stringify(request)],
        { stdio: ['ignore', 'pipe', 'inherit'] }
      );
      onTestFinished(() => {
        parent.kill('SIGKILL');
      });
      let said = '';
      parent.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
      await until(() => said.includes('load'), 'vLLM to load', 60_000);
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      await until(() => processesIn(scratchFolder).length === 0, 'the driver to end', 20_000);
      const left = join(scratchFolder, `shard-${request.planId}`, 'source', 'model.safetensors');
      const before = await stat(left);

      let after = before.ino + 1;
      const onProgress = ({ phase }: VllmProgress) => {
        if (phase === 'load') after = statSync(left).ino;
      };
      const result = await runVllmJob(request, dependencies, { ...live(), onProgress });

      expect(after).toBe(before.ino);
      expect(result.files).toHaveLength(2);
      expect(await readdir(scratchFolder)).toEqual([]);
    }
  );

  test('the process with vLLM killed, as when memory runs out, says what to raise', { timeout: 120_000 }, async () => {
    const { request, dependencies, scratchFolder } = await dirOf(checkpoints['llama-large'] ?? '');
    const onProgress = ({ phase }: VllmProgress) => {
      if (phase !== 'load') return;
      for (const pid of processesIn(scratchFolder)) if (isWorker(pid)) process.kill(pid, 'SIGKILL');
    };
    const error = await failure(runVllmJob(request, dependencies, { ...live(), onProgress }));
    expect(error).toMatchObject({ code: 'VllmFailed', permanent: false });
    expect(String(error)).toContain('ran out of memory');
    expect(String(error)).toContain('--mem');
  });

  test('a model that no memory holds says that it ran out, and what to raise', { timeout: 120_000 }, async () => {
    const huge = join(await tmpFolder(), 'huge');
    await cp(checkpoints['llama'] ?? '', huge, { recursive: true });
    const config = JSON.parse(await readFile(join(huge, 'config.json'), 'utf8')) as object;
    // 2^41 tokens of 128 numbers: more than a process can address.
    await writeFile(join(huge, 'config.json'), JSON.stringify({ ...config, vocab_size: 2 ** 41 }));
    const { request, dependencies } = await dirOf(huge);
    const error = await failure(runVllmJob(request, dependencies, live()));
    expect(error).toMatchObject({ code: 'VllmFailed', details: { kind: 'out-of-memory' } });
    expect(String(error)).toContain('--mem');
  });

  test('a version that is not installed is named beside the one that is', { timeout: 60_000 }, async () => {
    const { request, dependencies } = await dirOf(checkpoints['llama'] ?? '', { vllmVersion: '0.31.0' });
    const error = await failure(runVllmJob(request, dependencies, live()));
    expect(error).toMatchObject({ code: 'VllmVersionMismatch', permanent: true });
    for (const words of ['0.31.0', VLLM_ON_CPU, '--vllm-version']) expect(String(error)).toContain(words);
  });

  test('GPUs that are not there are asked for in vain', { timeout: 60_000 }, async () => {
    const { request, dependencies } = await dirOf(checkpoints['llama'] ?? '', { device: 'gpu' });
    // The operator is mistaken, and the driver finds out.
    const error = await failure(runVllmJob(request, { ...dependencies, gpu: 'A100:8' }, live()));
    expect(error).toMatchObject({ code: 'InsufficientResources' });
  });

  test('more ranks than the model has heads for are refused by vLLM', { timeout: 60_000 }, async () => {
    const { request, dependencies } = await dirOf(checkpoints['llama'] ?? '', { tensorParallelSize: 3 });
    const error = await failure(runVllmJob(request, dependencies, live()));
    expect(error).toMatchObject({ code: 'UnsupportedSharding', permanent: true });
    expect(String(error)).toMatch(/attention heads.*divisible/);
  });

  test('weights cut short are refused', { timeout: 60_000 }, async () => {
    const damaged = join(await tmpFolder(), 'damaged');
    await cp(checkpoints['llama'] ?? '', damaged, { recursive: true });
    const weights = await readFile(join(damaged, 'model.safetensors'));
    await writeFile(join(damaged, 'model.safetensors'), weights.subarray(0, -1000));
    const { request, dependencies } = await dirOf(damaged);
    expect(await failure(runVllmJob(request, dependencies, live()))).toMatchObject({ code: 'VllmFailed' });
  });

  test(
    'embeddings that the config ties and the weights do not are both saved, and that is said',
    { timeout: 120_000 },
    async () => {
      const mistaken = join(await tmpFolder(), 'mistaken');
      await cp(checkpoints['llama'] ?? '', mistaken, { recursive: true });
      const config = JSON.parse(await readFile(join(mistaken, 'config.json'), 'utf8')) as object;
      await writeFile(join(mistaken, 'config.json'), JSON.stringify({ ...config, tie_word_embeddings: true }));
      const { request, dependencies, root } = await dirOf(mistaken);
      const result = await runVllmJob(request, dependencies, live());
      expect(result.untied).toBe(true);

      // Beside them the config must say so, or vLLM does not load them.
      const sharded = await completeShards(root);
      const where = ['--original', checkpoints['llama'] ?? '', '--sharded', sharded, '--tp', '2'];
      expect((await runScript('state_oracle.py', where)).output).toContain('does not load the shards');
      await copyFile(join(checkpoints['llama'] ?? '', 'config.json'), join(sharded, 'config.json'));
      expect((await runScript('state_oracle.py', where)).output).toContain('SAME');
    }
  );
});

function isWorker(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('model_prefetch_vllm.py');
  } catch {
    return false;
  }
}
