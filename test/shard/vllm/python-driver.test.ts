import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DriverEvent } from '../../../src/shard/vllm/driver/driver-events.js';
import { runDriver, type DriverJob } from '../../../src/shard/vllm/driver/run-driver.js';
import { until } from '../../helpers/local-server.js';
import { failure, live } from '../../helpers/transfer-setup.js';
import { isRunning, pidIn } from './fake-driver.js';
import { python, pythonJob, vllmModule } from './python-jobs.js';

/** Code that writes down the pid of a child that lives for ever, and waits. */
const withChild = (output: string) => `
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
open(${JSON.stringify(join(output, 'pid'))}, "w").write(str(child.pid))
time.sleep(1000)`;

async function busyJob(): Promise<DriverJob> {
  const job = await pythonJob(vllmModule());
  await writeFile(join(job.environment['PYTHONPATH'] ?? '', 'vllm/__init__.py'), withChild(job.request.output));
  return job;
}

describe.skipIf(python === undefined)('the driver, before it comes to vLLM,', () => {
  test.each([
    ['says that there is no vLLM', undefined, {}, 'VllmUnavailable', 'has no vllm'],
    ['says that vLLM cannot be imported', 'raise ImportError("libnuma.so.1")', {}, 'VllmUnavailable', 'libnuma.so.1'],
    [
      'names both versions',
      '',
      { vllm_version: '0.31.2' },
      'VllmVersionMismatch',
      'vLLM 0.31.2 is asked for, and 0.32.0 is',
    ],
    ['takes no major version for another', '', { vllm_version: '1.32.0' }, 'VllmVersionMismatch', '1.32.0'],
    [
      'says how many GPUs are there',
      '',
      { device: 'gpu' as const },
      'InsufficientResources',
      '2 GPUs are needed, this host has 0',
    ],
    ['says that memory ran out', 'raise MemoryError()', {}, 'VllmFailed', 'ran out of memory'],
    ['says what broke', 'raise RuntimeError("it broke")', {}, 'VllmFailed', 'RuntimeError: it broke'],
  ])('%s', async (_what, vllm, change, code, words) => {
    const error = await failure(
      runDriver(await pythonJob(vllm === undefined ? {} : vllmModule(vllm), { request: change }), live())
    );
    expect(error).toMatchObject({ code });
    expect(String(error)).toContain(words);
  });

  test('takes a patch release for the one that is asked for', async () => {
    const error = await failure(
      runDriver(await pythonJob(vllmModule(), { request: { vllm_version: '0.32.9' } }), live())
    );
    // It goes on, and finds that this is no vLLM.
    expect(error).toMatchObject({ code: 'VllmUnavailable' });
    expect(String(error)).toContain('vLLM 0.32.0 is not as it was when this was tried');
  });

  test('refuses to shard without a GPU with a version that this was not tried with', async () => {
    const job = await pythonJob(vllmModule('', '0.33.1'), { request: { vllm_version: '0.33.0', device: 'cpu' } });
    const error = await failure(runDriver(job, live()));
    expect(error).toMatchObject({ code: 'VllmUnavailable' });
    expect(String(error)).toContain('tried with vLLM 0.32 only, and 0.33.1 is installed');
  });

  test('says that PATH is missing, without which it does not know its own path', async () => {
    const { environment, ...job } = await pythonJob(vllmModule());
    const error = await failure(
      runDriver({ ...job, python: 'python3', environment: { HOME: environment['HOME'] ?? '' } }, live())
    );
    expect(error).toMatchObject({ code: 'VllmUnavailable' });
    expect(String(error)).toContain('PATH is not set');
  });

  test('refuses a LoRA adapter', async () => {
    const job = await pythonJob(vllmModule());
    await writeFile(join(job.request.model, 'adapter_config.json'), '{}');
    const error = await failure(runDriver(job, live()));
    expect(error).toMatchObject({ code: 'UnsupportedSharding' });
    expect(String(error)).toContain('merge it first');
  });

  test('keeps what others print out of the protocol', async () => {
    const job = await pythonJob(
      vllmModule(`
import os, sys
print("printed")
os.write(1, b"written\\n")
os.system("echo from a child")
raise RuntimeError("end")`)
    );
    const events: DriverEvent[] = [];
    const error = await failure(runDriver(job, { ...live(), onEvent: (event) => events.push(event) }));
    expect(error).toMatchObject({ code: 'VllmFailed' });
    expect(events).toEqual([{ event: 'started' }]);
    for (const words of ['printed', 'written', 'from a child', 'RuntimeError: end'])
      expect(String(error)).toContain(words);
  });

  test('sets the environment that asks nobody and tells nobody', async () => {
    const job = await pythonJob(
      vllmModule(`
import os
open(os.environ["VLLM_FAKE_OUT"], "w").write(repr(sorted(os.environ)))
raise RuntimeError`)
    );
    const seen = join(job.folder, 'environment');
    await failure(runDriver({ ...job, environment: { ...job.environment, VLLM_FAKE_OUT: seen } }, live()));
    for (const name of ['HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE', 'VLLM_NO_USAGE_STATS', 'DO_NOT_TRACK']) {
      expect(await readFile(seen, 'utf8')).toContain(name);
    }
  });
});

describe.skipIf(python === undefined)('no process of the driver outlives', () => {
  test('a caller that cancels', async () => {
    const job = { ...(await busyJob()), graceMs: 10_000 };
    const abort = new AbortController();
    const run = runDriver(job, { signal: abort.signal });
    await until(() => isRunning(pidIn(job)), 'the grandchild');
    abort.abort(new Error('cancelled'));
    await expect(run).rejects.toThrow('cancelled');
    expect(isRunning(pidIn(job))).toBe(false);
  });

  test('a parent that was killed with SIGKILL', async () => {
    const job = await busyJob();
    const script = fileURLToPath(new URL('driver-parent.ts', import.meta.url));
    const parent = start(process.execPath, ['--import', 'tsx', script, JSON.stringify(job)]);
    await until(() => isRunning(pidIn(job)), 'the grandchild', 30_000);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    await until(() => !isRunning(pidIn(job)), 'the grandchild to end');
  });
});

describe.skipIf(python === undefined || process.platform !== 'linux')('on Linux', () => {
  test('the process with vLLM ends when its watcher was killed with SIGKILL', async () => {
    const job = await busyJob();
    const watcher = start(job.python, [job.driver], job.environment);
    watcher.stdin?.write(`${JSON.stringify(job.request)}\n`);
    await until(() => isRunning(pidIn(job)), 'the grandchild');
    const worker = parentOf(await readFile(`/proc/${pidIn(job)}/stat`, 'utf8'));
    onTestFinished(() => {
      process.kill(pidIn(job), 'SIGKILL');
    });
    watcher.kill('SIGKILL');
    await until(() => !isRunning(worker), 'the worker to end');
  });
});

function start(program: string, args: readonly string[], environment?: Readonly<Record<string, string>>): ChildProcess {
  const env = { ...(environment ?? { PATH: process.env['PATH'] ?? '' }) };
  const child = spawn(program, args, { env, stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

function parentOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
