import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { WorkerOptions } from '@temporalio/worker';

/**
 * The workflow code for a worker: the bundle that was made at build time, where it was made for the SDK version that is
 * installed (the SDK demands the very same), and otherwise the module itself, which the worker bundles at its start.
 * @param home - folder of the compiled package
 * @param options - `bundleAnew` where something is to be added to the bundle
 */
export function workflowSource(
  home: URL = new URL('..', import.meta.url),
  { bundleAnew = false }: { readonly bundleAnew?: boolean } = {}
): Pick<WorkerOptions, 'workflowBundle'> | Pick<WorkerOptions, 'workflowsPath'> {
  const resolve = (path: string) => fileURLToPath(new URL(path, home));
  const codePath = resolve('workflow-bundle/workflow-bundle.js');
  if (!bundleAnew && existsSync(codePath) && bundledFor(resolve('workflow-bundle/bundle.json')) === installedSdk()) {
    return { workflowBundle: { codePath } };
  }
  // From the sources, as tests run it, the module is a .ts file; the bundler wants the file that is there.
  const compiled = resolve('workflows/index.js');
  return { workflowsPath: existsSync(compiled) ? compiled : resolve('workflows/index.ts') };
}

function bundledFor(path: string): string | undefined {
  const record: unknown = JSON.parse(readFileSync(path, 'utf8'));
  return field(record, 'sdkVersion');
}

function installedSdk(): string | undefined {
  const manifest: unknown = createRequire(import.meta.url)('@temporalio/worker/package.json');
  return field(manifest, 'version');
}

function field(value: unknown, name: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found: unknown = Object.entries(value).find(([key]) => key === name)?.[1];
  return typeof found === 'string' ? found : undefined;
}
