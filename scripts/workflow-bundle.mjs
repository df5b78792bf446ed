import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from './steps.mjs';

const folder = join(root, 'dist/workflow-bundle');
const workflowsPath = join(root, 'dist/workflows/index.js');

/**
 * Bundles the workflows, so that a worker starts without webpack. `bundle.json` records the SDK version, because a
 * bundle is good for the very version that made it, and a digest of what went in, so that nothing is bundled twice.
 */
export async function bundleWorkflows() {
  const require = createRequire(import.meta.url);
  const { version: sdkVersion } = require('@temporalio/worker/package.json');
  const record = { sdkVersion, sources: await digestOfSources() };
  if (await isUpToDate(record)) return 'up to date';
  const { bundleWorkflowCode } = require('@temporalio/worker');
  const bundle = await bundleWorkflowCode({ workflowsPath, logger: quietLogger });
  const code = withOwnSources(bundle.code);
  await mkdir(folder, { recursive: true });
  await replaceFile(join(folder, 'workflow-bundle.js'), code);
  await replaceFile(join(folder, 'bundle.json'), `${JSON.stringify(record, null, 2)}\n`);
  return `${Math.round(code.length / 1024)} KiB`;
}

/**
 * The source map in the bundle names the folder it was built in: nobody else's business, and another one each time. Of the
 * texts that it holds, those of this package stay, for stack traces that show them; the SDK's are in node_modules.
 */
function withOwnSources(code) {
  return code.replace(
    /(sourceMappingURL=data:application\/json;charset=utf-8;base64,)([\w+/=]+)/,
    (_, head, base64) => {
      const map = JSON.parse(Buffer.from(base64, 'base64').toString('utf8').replaceAll(root, '/'));
      const isOwn = (source) => source.startsWith('/dist/');
      const sourcesContent = map.sourcesContent.map((text, number) => (isOwn(map.sources[number]) ? text : null));
      return head + Buffer.from(JSON.stringify({ ...map, sourcesContent })).toString('base64');
    }
  );
}

/** Workflows import no room but core, so these two folders are all that a bundle is made of. */
async function digestOfSources() {
  const digest = createHash('sha256');
  for (const room of ['core', 'workflows']) {
    const files = await readdir(join(root, 'dist', room), { recursive: true });
    for (const file of files.filter((name) => name.endsWith('.js')).sort()) {
      digest.update(`${room}/${file}\0`).update(await readFile(join(root, 'dist', room, file)));
    }
  }
  return digest.digest('hex');
}

async function isUpToDate(record) {
  if (!existsSync(join(folder, 'workflow-bundle.js')) || !existsSync(join(folder, 'bundle.json'))) return false;
  return (await readFile(join(folder, 'bundle.json'), 'utf8')) === `${JSON.stringify(record, null, 2)}\n`;
}

/** A worker that starts during a build sees the old bundle or the new one, never half of it. */
async function replaceFile(path, text) {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

const quietLogger = {
  log() {},
  trace() {},
  debug() {},
  info() {},
  warn: (message) => console.warn(message),
  error: (message) => console.error(message),
};
