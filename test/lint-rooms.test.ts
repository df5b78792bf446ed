import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

// The project's own configuration, less the rules that need a compiled program: the probes are no real files.
const eslint = new ESLint({
  cwd: root,
  overrideConfig: [
    { files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked },
    { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false, project: false } } },
  ],
});

/** The arrows that a line of code in that file breaks, as the messages that the author would see. */
async function brokenArrows(file: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: file });
  const messages = result?.messages ?? [];
  expect(messages.filter((message) => message.fatal)).toEqual([]);
  return messages
    .filter((message) => /no-restricted-(?:imports|syntax|properties)$|answers-of-s3$/.test(message.ruleId ?? ''))
    .map((message) => message.message);
}

test.each<[file: string, code: string]>([
  ['src/core/probe.ts', "import { x } from '../storage/object-store.js';"],
  ['src/core/probe.ts', "import { x } from '../http/agents.js';"],
  ['src/core/schemas/probe.ts', "import { x } from '../../hub/hub.js';"],
  ['src/core/probe.ts', "import { readFile } from 'node:fs/promises';"],
  ['src/core/probe.ts', "import { log } from '@temporalio/workflow';"],
  ['src/core/probe.ts', "import { x } from '../client.js';"],
  ['src/core/schemas/probe.ts', "import { x } from '../../index.js';"],
  ['src/core/probe.ts', "import { x } from '../tasks/permits.js';"],
  ['src/tasks/probe.ts', "import { x } from '../core/errors.js';"],
  ['src/tasks/probe.ts', "import { x } from '../client.js';"],
  ['src/tasks/probe.ts', "import { z } from 'zod';"],
  ['src/safetensors/probe.ts', "import { x } from '../tasks/permits.js';"],
  ['src/safetensors/probe.ts', "import { readFile } from 'node:fs/promises';"],
  ['src/safetensors/probe.ts', "import { z } from 'zod';"],
  ['src/safetensors/probe.ts', "import { x } from '../storage/object-store.js';"],
  ['src/http/probe.ts', "import { x } from '../hub/hub.js';"],
  ['src/hub/probe.ts', "import { S3Client } from '@aws-sdk/client-s3';"],
  ['src/hub/probe.ts', "import { x } from '../storage/object-store.js';"],
  ['src/storage/probe.ts', "import { x } from '../transfer/types.js';"],
  ['src/storage/s3/probe.ts', "import { x } from '../../transfer/types.js';"],
  ['src/storage/probe.ts', "import { x } from '../hub/hub.js';"],
  ['src/transfer/probe.ts', "import { S3Client } from '@aws-sdk/client-s3';"],
  ['src/transfer/probe.ts', "import { Context } from '@temporalio/activity';"],
  ['src/transfer/probe.ts', "import { x } from '../activities/index.js';"],
  ['src/transfer/probe.ts', "import type { Hub } from '../hub/hub.js';"],
  ['src/transfer/probe.ts', "import { x } from '../dir/open-dir.js';"],
  ['src/transfer/probe.ts', 'export const wasDenied = (text: string) => /<Code>/.test(text);'],
  ['src/transfer/probe.ts', "export const isGone = (code: string) => code === 'NoSuchUpload';"],
  ['src/transfer/probe.ts', "export const etagOf = (answer: HttpAnswer) => answer.headers['etag'];"],
  ['src/storage/local/probe.ts', "export const headers = { 'x-amz-checksum-crc32': '' };"],
  ['src/dir/probe.ts', "import { x } from '../hub/hub.js';"],
  ['src/dir/probe.ts', "import { x } from '../shard/rank-layout.js';"],
  ['src/shard/probe.ts', "import { x } from '../dir/open-dir.js';"],
  ['src/shard/probe.ts', "import { x } from '../activities/index.js';"],
  ['src/shard/native/probe.ts', "import { Context } from '@temporalio/activity';"],
  ['src/shard/layout/probe.ts', "import { x } from '../../config/environment.js';"],
  ['src/transfer/probe.ts', "import { x } from '../shard/rank-layout.js';"],
  ...['core', 'transfer', 'shard', 'storage', 'hub', 'dir', 'steps'].map((room): [string, string] => [
    `src/${room}/probe.ts`,
    "import { ApplicationFailure } from '@temporalio/common';",
  ]),
  ['src/steps/shards/probe.ts', "import { Context } from '@temporalio/activity';"],
  ['src/steps/probe.ts', "import { x } from '../activities/index.js';"],
  ['src/steps/probe.ts', "import { x } from '../starter/await-prefetch.js';"],
  ['src/activities/probe.ts', "import { x } from '../storage/object-store.js';"],
  ['src/worker/probe.ts', "import { x } from '../workflows/index.js';"],
  ['src/worker/probe.ts', "import { x } from '../cli/main.js';"],
  ['src/cli/probe.ts', "import { x } from '../activities/index.js';"],
  ['src/activities/probe.ts', "import { S3Client } from '@aws-sdk/client-s3';"],
  ['src/activities/probe.ts', "import { x } from '../workflows/index.js';"],
  ['src/activities/probe.ts', "import { x } from '../config/environment.js';"],
  ['src/workflows/probe.ts', "import { x } from '../activities/index.js';"],
  ['src/workflows/probe.ts', "import { x } from '../tasks/permits.js';"],
  ['src/workflows/probe.ts', "import { z } from 'zod';"],
  ['src/workflows/probe.ts', "import { createHash } from 'node:crypto';"],
  ['src/workflows/probe.ts', "import { inputSchema } from '../core/schemas/input.js';"],
  ['src/workflows/probe.ts', "import { Client } from '@temporalio/client';"],
  ['src/config/probe.ts', "import { x } from '../storage/open-store.js';"],
  ['src/dev-hub/probe.ts', "import { x } from '../hub/hub.js';"],
  ['src/embedded/probe.ts', "import { x } from '../cli/main.js';"],
  ['src/starter/probe.ts', "import { x } from '../workflows/index.js';"],
  ['src/cli/probe.ts', "import { x } from '../workflows/index.js';"],
  ['src/cli/probe.ts', "import { S3Client } from '@aws-sdk/client-s3';"],
  // The other ways to write an import.
  ['src/core/probe.ts', "export { x } from '../storage/object-store.js';"],
  ['src/core/probe.ts', "export * from '../storage/object-store.js';"],
  ['src/core/probe.ts', "import type { X } from '../storage/object-store.js';"],
  ['src/core/probe.ts', "import '../storage/object-store.js';"],
  ['src/core/probe.ts', "await import('../storage/object-store.js');"],
  ['src/core/probe.ts', "await import('node:fs');"],
  ['src/workflows/probe.ts', "export { inputSchema } from '../core/schemas/input.js';"],
])('%s may not contain: %s', async (file, code) => {
  expect(await brokenArrows(file, code)).toHaveLength(1);
});

test.each([
  ['src/core/probe.ts', "import { z } from 'zod';"],
  ['src/core/schemas/probe.ts', "import { GiB } from '../units.js';"],
  ['src/safetensors/probe.ts', "import { PrefetchError } from '../core/errors.js';"],
  ['src/tasks/probe.ts', "import { setTimeout } from 'node:timers/promises';"],
  ['src/storage/s3/probe.ts', "import { x } from '../../tasks/retries.js';"],
  ['src/hub/probe.ts', "import { request } from 'node:http';"],
  ['src/hub/probe.ts', "import { PrefetchError } from '../core/errors.js';"],
  ['src/storage/s3/probe.ts', "import { S3Client } from '@aws-sdk/client-s3';"],
  ['src/storage/s3/probe.ts', "import { x } from '../object-store.js';"],
  ['src/storage/probe.ts', "await import('./s3/s3-store.js');"],
  ['src/storage/probe.ts', "await import('@aws-sdk/client-s3');"],
  ['src/transfer/probe.ts', "import { x } from '../storage/object-store.js';"],
  ['src/dir/probe.ts', "import { createHash } from 'node:crypto';"],
  ['src/dir/probe.ts', "import { x } from '../transfer/read/verify-object.js';"],
  ['src/activities/probe.ts', "import { x } from '../dir/open-dir.js';"],
  ['src/steps/shards/probe.ts', "import { x } from '../../shard/rank-layout.js';"],
  ['src/activities/probe.ts', "import { Context } from '@temporalio/activity';"],
  ['src/worker/probe.ts', "import { Worker } from '@temporalio/worker';"],
  ['src/activities/probe.ts', "import { x } from '../steps/survey.js';"],
  ['src/workflows/probe.ts', "import type { Dir } from '../core/schemas/dir.js';"],
  ['src/workflows/probe.ts', "import { proxyActivities } from '@temporalio/workflow';"],
  ['src/cli/probe.ts', "import { x } from '../client.js';"],
  ['src/cli/commands/probe.ts', "import { x } from '../../worker.js';"],
  ['src/worker.ts', "import { x } from './activities/index.js';"],
])('%s may contain: %s', async (file, code) => {
  expect(await brokenArrows(file, code)).toEqual([]);
});

test('only src/config reads the environment, and for the proxies src/http', async () => {
  const code = 'export const home = process.env.HOME;';
  expect(await brokenArrows('src/config/probe.ts', code)).toEqual([]);
  expect(await brokenArrows('src/http/proxies.ts', code)).toEqual([]);
  for (const file of ['src/http/probe.ts', 'src/hub/probe.ts', 'src/worker.ts', 'src/cli/commands/probe.ts']) {
    expect(await brokenArrows(file, code), file).toHaveLength(1);
    expect(await brokenArrows(file, "export const { HOME } = process['env'];"), file).toHaveLength(1);
    expect(await brokenArrows(file, 'export const { env } = process;'), file).toHaveLength(1);
  }
});

test('the message says what the room may import', async () => {
  expect(await brokenArrows('src/hub/probe.ts', "import { x } from '../storage/object-store.js';")).toEqual([
    expect.stringContaining('src/hub may import core, tasks, http only.'),
  ]);
});

test('every folder of src is a room', async () => {
  const entries = await readdir(join(root, 'src'), { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory())) {
    expect(await brokenArrows(`src/${name}/probe.ts`, "import 'no-room-may-use-this';"), name).toHaveLength(1);
    expect(await brokenArrows(`src/${name}/a/b/c/probe.ts`, "import 'no-room-may-use-this';"), name).toHaveLength(1);
  }
});
