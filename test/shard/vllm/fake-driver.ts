import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DriverJob } from '../../../src/shard/vllm/driver/run-driver.js';
import { tmpFolder } from '../../helpers/tmp.js';

const prelude = `
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const request = JSON.parse((await lines.next()).value);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
const done = { event: 'done', vllm: '0.32.0', device: 'cpu', dtype: 'bfloat16', untied_by_checkpoint: false };
const forever = () => delay(2 ** 30);
/** Starts a program that lives until somebody ends it, and writes down its pid. */
const startChild = (code, options = {}) => {
  const child = spawn(process.execPath, ['-e', code + ';setInterval(() => {}, 1000)'], { stdio: 'inherit', ...options });
  writeFileSync(request.output + '/pid', String(child.pid));
};
writeFileSync(request.output + '/driver-pid', String(process.pid));
say({ event: 'started' });
`;

/** A driver that does what this code says, in the place of the one with vLLM. */
export async function fakeDriver(code: string): Promise<{ readonly python: string; readonly driver: string }> {
  const driver = join(await tmpFolder(), 'driver.mjs');
  await writeFile(driver, `${prelude}${code}\nprocess.exit();\n`);
  return { python: process.execPath, driver };
}

/** A job for it. */
export async function fakeJob(code: string, change: Partial<DriverJob> = {}): Promise<DriverJob> {
  const folder = await tmpFolder();
  const output = join(folder, 'output');
  await mkdir(output);
  return {
    ...(await fakeDriver(code)),
    environment: { PATH: process.env['PATH'] ?? '' },
    folder,
    graceMs: 500,
    request: {
      model: join(folder, 'source'),
      output,
      tensor_parallel_size: 2,
      vllm_version: '0.32.0',
      dtype: 'auto',
      max_model_len: null,
      trust_remote_code: false,
      file_pattern: 'model-rank-{rank}-part-{part}.safetensors',
      max_file_size: 2 ** 30,
      device: null,
    },
    ...change,
  };
}

/** Whether a process runs; one that has ended and waits for its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2).charAt(0));
  } catch {
    return false;
  }
}

/** The pid that a driver or its child wrote down. */
export function pidIn({ request }: Pick<DriverJob, 'request'>, name: 'pid' | 'driver-pid' = 'pid'): number {
  try {
    return Number(readFileSync(join(request.output, name), 'utf8')) || 0;
  } catch {
    return 0;
  }
}
