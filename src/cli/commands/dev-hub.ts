import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readSettings } from '../../config/environment.js';
import { compact } from '../../core/compact.js';
import { PrefetchError } from '../../core/errors.js';
import { TOLD } from '../../core/schemas/issue-text.js';
import { describeIssues } from '../../core/schemas/parse.js';
import { startDevHub } from '../../dev-hub/index.js';
import { type CliContext, printResult, say } from '../context.js';
import type { DevHubCommandOptions } from '../invocation.js';

const tokensSchema = z.record(
  z.string().min(1),
  z.strictObject({ name: z.string().min(1), repos: z.array(z.string()).optional() })
);

/** Serves a folder of models as a Hub until it is told to stop. */
export async function runDevHub(options: DevHubCommandOptions, context: CliContext): Promise<void> {
  const { folder, host, port, cdnPort, tokenFile } = options;
  const tokens = tokenFile === undefined ? undefined : await readTokens(tokenFile);
  const hub = await startDevHub({
    repos: { folder },
    ...compact({ host, port, cdnPort }),
    ...(tokens === undefined ? {} : { tokens }),
    digestCache: join(readSettings().cacheFolder, 'dev-hub-digests.json'),
    onHashed: ({ repo, path }) => {
      say(context, `Read ${repo}: ${path}`);
    },
    signal: context.signal,
  });
  try {
    say(context, `Serving ${folder} until Ctrl-C (CDN: ${hub.cdnUrl}). To use it:`);
    printResult(context, `export HF_ENDPOINT=${hub.url}`);
    if (!context.signal.aborted) await once(context.signal, 'abort');
  } finally {
    await hub.close();
  }
}

/** Tokens come in a file, for arguments of a process are there for all to see; so no message repeats them. */
async function readTokens(file: string): Promise<Record<string, { name: string; repos?: string[] }>> {
  const checked = tokensSchema.safeParse(await readJson(file), TOLD);
  if (checked.success) {
    return Object.fromEntries(
      Object.entries(checked.data).map(([token, { name, repos }]) => [
        token,
        repos === undefined ? { name } : { name, repos },
      ])
    );
  }
  const problems = describeIssues(checked.error.issues.map((issue) => ({ ...issue, path: issue.path.slice(1) })));
  throw new PrefetchError('InvalidInput', `--token-file ${file}: ${problems.join('; ')}`);
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    // The parser's own message quotes what it read, which may be a token.
    const reason = error instanceof SyntaxError ? 'is no JSON' : 'cannot be read';
    throw new PrefetchError('InvalidInput', `--token-file ${file}: ${reason}`);
  }
}
