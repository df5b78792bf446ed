import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { findProcesses } from '../../src/embedded/processes.js';
import { temporalCliPath } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const script = fileURLToPath(new URL('../../scripts/quickstart.mjs', import.meta.url));
let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill('SIGKILL');
});

test('the quickstart resumes after a kill, hits, shards, serves its Web UI when told to, and leaves nothing', async () => {
  const folder = await tmpFolder();
  const env = { ...process.env, TMPDIR: folder, TEMPORAL_CLI_PATH: await temporalCliPath() };
  child = spawn(process.execPath, [script, '--keep'], { env, stdio: ['ignore', 'pipe', 'ignore'] });
  const printed = await outputUntil(child, /Everything lies in/);
  expect(printed).toContain('(killed with 64.0 MiB in the store)');
  expect(printed).toContain('0.0 MiB were fetched twice');
  expect(printed).toContain('(the Hub sent 0.0 MiB of weights)');
  expect(printed).toContain('Verified every byte');
  const ui = /The runs, with their histories: +(\S+)/.exec(printed)?.[1] ?? '';
  const runs = await (await fetch(`${ui}/api/v1/namespaces/default/workflows`)).text();
  expect(runs).toContain('prefetch/quickstart/small-llama@main');
  const closed = once(child, 'close');
  child.kill('SIGINT');
  expect((await closed)[0]).toBe(0);
  expect(await readdir(folder)).toEqual([]);
  const home = /MODEL_PREFETCH_HOME=(\S+)/.exec(printed)?.[1] ?? '';
  expect(await findProcesses(['--db-filename', join(home, 'temporal/temporal.db')])).toEqual([]);
}, 120_000);

/** Goes on reading afterwards: a closed pipe would end the script. */
function outputUntil(running: ChildProcess, end: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    running.stdout?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (end.test(text)) resolve(text);
    });
    running.once('close', () => {
      reject(new Error(`The quickstart ended:\n${text}`));
    });
  });
}
