import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** Each test of a file starts with no AWS environment at all, and may set its own. */
export function withoutAwsEnvironment(): void {
  const saved = { ...process.env };
  beforeEach(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
    setEnvironment({
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
      AWS_EC2_METADATA_DISABLED: 'true',
    });
  });
  afterEach(() => {
    process.env = { ...saved };
  });
}

export function setEnvironment(variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
}

/** Runs with a `~/.aws/config` of these lines, whose profile `models` is the one in use. */
export async function withProfile<T>(lines: readonly string[], action: () => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'prefetch-aws-'));
  await writeFile(join(folder, 'config'), ['[profile models]', ...lines].join('\n'));
  setEnvironment({ AWS_CONFIG_FILE: join(folder, 'config'), AWS_PROFILE: 'models' });
  try {
    return await action();
  } finally {
    await rm(folder, { recursive: true });
  }
}
