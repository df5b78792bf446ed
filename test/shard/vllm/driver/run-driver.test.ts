import { realpathSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DriverEvent } from '../../../../src/shard/vllm/driver/driver-events.js';
import { runDriver } from '../../../../src/shard/vllm/driver/run-driver.js';
import { until } from '../../../helpers/local-server.js';
import { failure, live } from '../../../helpers/transfer-setup.js';
import { fakeJob, isRunning, pidIn } from '../fake-driver.js';

const failed = (code: string, words: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(words) as string });

describe('a driver that works', () => {
  test('gets the request, this environment and this folder, and its events come in order', async () => {
    const job = await fakeJob(`
      say({ event: 'ready', vllm: '0.32.0', torch: '2', device: 'cpu', gpus: 0 });
      say({ event: 'progress', phase: 'load', rank: 0, ranks: 2, bytes: 7, request: request.dtype });
      writeFileSync(request.output + '/seen', JSON.stringify({ request, env: process.env, cwd: process.cwd() }));
      say(done);`);
    const events: DriverEvent[] = [];
    const result = await runDriver(job, { ...live(), onEvent: (event) => events.push(event) });
    expect(result).toMatchObject({ vllm: '0.32.0', device: 'cpu', dtype: 'bfloat16', untiedByCheckpoint: false });
    expect(events.map(({ event }) => event)).toEqual(['started', 'ready', 'progress', 'done']);
    const seen: unknown = JSON.parse(await readFile(join(job.request.output, 'seen'), 'utf8'));
    expect(seen).toEqual({ request: job.request, env: job.environment, cwd: realpathSync(job.folder) });
  });

  test('counts as done even when it does not end by itself then, or ends badly', async () => {
    const hanging = await fakeJob(`say(done); await forever();`);
    expect(await runDriver(hanging, live())).toMatchObject({ event: 'done' });
    expect(isRunning(pidIn(hanging, 'driver-pid'))).toBe(false);
    const crashing = await fakeJob(`say(done); await delay(50); process.exit(3);`);
    expect(await runDriver(crashing, live())).toMatchObject({ event: 'done' });
  });

  test('may log as much as it likes', async () => {
    const job = await fakeJob(`
      const line = 'x'.repeat(1023) + '\\n';
      for (let n = 0; n < 30_000; n++) if (!process.stderr.write(line)) await new Promise((go) => process.stderr.once('drain', go));
      say(done);`);
    expect(await runDriver(job, live())).toMatchObject({ event: 'done' });
  });
});

describe('a failure that the driver names', () => {
  test.each([
    ['version', 'VllmVersionMismatch', '--vllm-version'],
    ['vllm-missing', 'VllmUnavailable', 'MODEL_PREFETCH_PYTHON'],
    ['private-api', 'VllmUnavailable', 'MODEL_PREFETCH_PYTHON'],
    ['unsupported', 'UnsupportedSharding', 'what it says'],
    ['resources', 'InsufficientResources', 'what it says'],
    ['out-of-memory', 'VllmFailed', '--mem'],
    ['model', 'VllmFailed', 'the last of the log'],
    ['something new', 'VllmFailed', 'the last of the log'],
  ])('as %s is %s', async (kind, code, words) => {
    const job = await fakeJob(`
      process.stderr.write('the last of the log\\n');
      await delay(50);
      say({ event: 'error', kind: ${JSON.stringify(kind)}, message: 'what it says' });
      await forever();`);
    const error = await failure(runDriver(job, live()));
    expect(error).toEqual(failed(code, words));
    expect(error).toEqual(failed(code, 'what it says'));
    expect(isRunning(pidIn(job, 'driver-pid'))).toBe(false);
  });
});

describe('a driver that ends without being done', () => {
  test('fails with the last lines of its log, without what is secret in them', async () => {
    const job = await fakeJob(`
      for (let n = 0; n < 200; n++) console.error('line ' + n + ' https://host/file?signature=secret');
      process.exit(4);`);
    const error = await failure(runDriver(job, live()));
    expect(error).toEqual(failed('VllmFailed', 'vLLM ended with code 4'));
    expect(String(error)).toContain('line 199 https://host/file');
    expect(String(error)).not.toMatch(/secret|line 150/);
  });

  test.each([
    ['by SIGKILL', `process.kill(process.pid, 'SIGKILL'); await forever();`],
    ['with the code that stands for it', 'process.exit(137);'],
  ])('%s says that memory ran out and what to raise', async (_how, code) => {
    const error = await failure(runDriver(await fakeJob(code), live()));
    expect(error).toEqual(failed('VllmFailed', 'ran out of memory'));
    expect(error).toEqual(failed('VllmFailed', 'resources.memory, --mem'));
  });

  test.each([
    ['words', `process.stdout.write('Loading weights 10 %\\n'); await forever();`, 'Loading weights 10 %'],
    ['half a line', `process.stdout.write('{"event":"do'); await delay(50); process.exit();`, '{\\"event\\":\\"do'],
    ['a long line', `say({ event: 'error', kind: 'x', message: 'y'.repeat(200_000) }); await forever();`, 'yyy…'],
    [
      'a line without an end',
      `for (;;) if (!process.stdout.write('z'.repeat(65536))) await new Promise((go) => process.stdout.once('drain', go));`,
      'zzz…',
    ],
  ])('after %s that are no event, is ended and shown', async (_what, code, shown) => {
    const job = await fakeJob(code);
    const error = await failure(runDriver(job, live()));
    expect(error).toEqual(failed('VllmFailed', shown));
    expect(String(error).length).toBeLessThan(500);
    expect(isRunning(pidIn(job, 'driver-pid'))).toBe(false);
  });

  test('is ended when the caller fails over an event', async () => {
    const job = await fakeJob(`await forever();`);
    const onEvent = () => {
      throw new Error('enough');
    };
    await expect(runDriver(job, { ...live(), onEvent })).rejects.toThrow('enough');
    expect(isRunning(pidIn(job, 'driver-pid'))).toBe(false);
  });
});

describe('a driver that hangs', () => {
  const progress = "say({ event: 'progress', phase: 'load', rank: 0, ranks: 2, bytes: BYTES });";

  test('is ended with all that it started, though it says again and again where it stands', async () => {
    const job = await fakeJob(
      `startChild("process.on('SIGTERM', () => {})");
       for (let n = 0; ; n++) {
         ${progress.replace('BYTES', '7')}
         console.error('WARNING 08-21 12:34:' + String(n).padStart(2, '0') + ' [shm_broadcast.py:466] still waiting');
         await delay(20);
       }`,
      { silenceMs: 1000 }
    );
    const error = await failure(runDriver(job, live()));
    expect(error).toEqual(failed('VllmFailed', 'MODEL_PREFETCH_VLLM_SILENCE'));
    expect(error).toEqual(failed('VllmFailed', 'still waiting'));
    expect(error).toMatchObject({ permanent: false });
    expect([pidIn(job), pidIn(job, 'driver-pid')].filter(isRunning)).toEqual([]);
  });

  test.each([
    ['bytes', progress.replace('BYTES', 'n')],
    ['lines of a log', "console.error('layer ' + n);"],
    ['states of a progress bar', "process.stderr.write('\\r' + n + '% Completed | [00:10<01:20, 9.0s/it]');"],
  ])('is told from one of which new %s are heard', async (_what, say) => {
    const job = await fakeJob(`for (let n = 0; n < 40; n++) { ${say} await delay(50); } say(done);`, {
      silenceMs: 1000,
    });
    expect(await runDriver(job, live())).toMatchObject({ event: 'done' });
  });
});

describe('an interpreter that is none', () => {
  test.each([
    ['/nowhere/python3', 'ENOENT'],
    ['/etc', 'EACCES'],
    ['/bin/false', 'code 1'],
  ])('%s names the variable to set', async (python, words) => {
    const error = await failure(runDriver(await fakeJob('', { python }), live()));
    expect(error).toEqual(failed('VllmUnavailable', words));
    expect(error).toEqual(failed('VllmUnavailable', 'MODEL_PREFETCH_PYTHON'));
  });
});

describe('cancelling', () => {
  test('ends the driver, its children and theirs, those that ignore SIGTERM too', async () => {
    const job = await fakeJob(`startChild("process.on('SIGTERM', () => {})"); await forever();`);
    const abort = new AbortController();
    const run = runDriver(job, { signal: abort.signal });
    await until(() => pidIn(job) > 0 && isRunning(pidIn(job)), 'the grandchild');
    abort.abort(new Error('cancelled'));
    await expect(run).rejects.toThrow('cancelled');
    expect(isRunning(pidIn(job))).toBe(false);
    expect(isRunning(pidIn(job, 'driver-pid'))).toBe(false);
  });

  test('gives processes time to put their things away', async () => {
    const job = await fakeJob(
      `process.on('SIGTERM', () => setTimeout(() => { writeFileSync(request.output + '/tidy', ''); process.exit(); }, 300));
       writeFileSync(request.output + '/pid', String(process.pid));
       await forever();`,
      { graceMs: 10_000 }
    );
    const abort = new AbortController();
    const run = runDriver(job, { signal: abort.signal });
    await until(() => pidIn(job) > 0, 'the driver');
    abort.abort(new Error('cancelled'));
    await expect(run).rejects.toThrow('cancelled');
    await expect(writeFile(join(job.request.output, 'tidy'), '', { flag: 'wx' })).rejects.toThrow('EEXIST');
  });

  test('before the start starts nothing', async () => {
    const job = await fakeJob('');
    await expect(runDriver(job, { signal: AbortSignal.abort(new Error('cancelled')) })).rejects.toThrow('cancelled');
    expect(pidIn(job, 'driver-pid')).toBe(0);
  });
});

describe('what a driver leaves behind', () => {
  test('is ended when the driver has ended', async () => {
    const job = await fakeJob(`startChild(''); await delay(100); say(done);`);
    await runDriver(job, live());
    expect(pidIn(job)).toBeGreaterThan(0);
    expect(isRunning(pidIn(job))).toBe(false);
  });

  test('does not hold the caller up when it left the process group and keeps the pipes', async () => {
    const job = await fakeJob(`startChild('', { detached: true }); await delay(100); say(done);`);
    onTestFinished(() => {
      process.kill(pidIn(job), 'SIGKILL');
    });
    expect(await runDriver(job, live())).toMatchObject({ event: 'done' });
  });
});
