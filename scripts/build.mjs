// npm run build: compiles src into dist, writes schemas/*.json and bundles the workflows.
import { chmod, readFile, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root, runBin, step } from './steps.mjs';
import { bundleWorkflows } from './workflow-bundle.mjs';
import { writeSchemas } from './schemas.mjs';

const steps = [
  ['Compile src into dist', compile],
  ['Write the JSON Schemas', writeSchemas],
  ['Bundle the workflows', bundleWorkflows],
];

/** Builds the package; stops at the first step that fails, for the next ones need its result. */
export async function build() {
  for (const [title, work] of steps) {
    if (!(await step(title, work))) return false;
  }
  return true;
}

async function compile() {
  await removeOrphans(join(root, 'dist'), join(root, 'src'));
  // The build info lies in dist, so that removing dist also means building everything again.
  await runBin('tsc', ['-p', 'tsconfig.build.json', '--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo']);
  // npm makes bins executable when it installs them; a clone runs them from here.
  const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await Promise.all(Object.values(bin).map((file) => chmod(join(root, file), 0o755)));
}

/** Removes compiled files whose source is gone: tsc leaves them, and they would be published. */
async function removeOrphans(dist, src) {
  if (!existsSync(dist)) return;
  for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const source = /^(.*)\.(?:js|d\.ts)(?:\.map)?$/.exec(file.slice(dist.length))?.[1];
    const made = file.startsWith(join(dist, 'workflow-bundle'));
    if (entry.isFile() && source !== undefined && !made && !existsSync(`${src}${source}.ts`)) await rm(file);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = (await build()) ? 0 : 1;
}
