import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DRIVER, type DriverJob } from '../../../src/shard/vllm/driver/run-driver.js';
import { findPython } from '../../helpers/python.js';
import { tmpFolder } from '../../helpers/tmp.js';
import { fakeJob } from './fake-driver.js';

/** Runs the driver of this package; without it, its tests are skipped. */
export const python = await findPython('the vLLM driver in Python');

const torch = `
import os
__version__ = "2.0"
class cuda:
    device_count = staticmethod(lambda: int(os.environ.get("VLLM_FAKE_GPUS", "0")))`;

/** Python modules by path. */
export type Modules = Readonly<Record<string, string>>;

/** A job for the real driver, which finds these modules instead of vLLM; without any, it finds no vLLM. */
export async function pythonJob(
  modules: Modules,
  {
    request = {},
    environment = {},
  }: { readonly request?: Partial<DriverJob['request']>; readonly environment?: Modules } = {}
): Promise<DriverJob> {
  const packages = await tmpFolder();
  for (const [path, text] of Object.entries({ 'torch/__init__.py': torch, ...modules })) {
    await mkdir(dirname(join(packages, path)), { recursive: true });
    await writeFile(join(packages, path), text);
  }
  const job = await fakeJob('', { python: python ?? '', driver: DRIVER });
  await mkdir(job.request.model);
  await writeFile(join(job.request.model, 'config.json'), '{}');
  return {
    ...job,
    environment: { ...job.environment, PYTHONPATH: packages, ...environment },
    request: { ...job.request, ...request },
  };
}

/** A package `vllm` of this version that does what this code says when it is imported. */
export function vllmModule(code = '', version = '0.32.0'): Modules {
  return { 'vllm/__init__.py': `__version__ = "${version}"\n${code}` };
}
