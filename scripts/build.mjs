// npm run build: compiles src into dist, writes schemas/*.json and bundles the workflows.
import { chmod, readFile, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { placeDeclarations } from './declarations.mjs';
import { root, run, step } from './steps.mjs';
import { bundleWorkflows } from './workflow-bundle.mjs';
import { writeSchemas } from './schemas.mjs';

const steps = [
  ['Compile src into dist', compile],
  ['Put the types of the entry points into dist', placeDeclarations],
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
  // Not by node_modules/.bin, where pnpm has shell scripts.
  const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  await run(process.execPath, [
    tsc,
    '-p',
    'tsconfig.build.json',
    '--incremental',
    '--tsBuildInfoFile',
    'dist/.tsbuildinfo',
  ]);
  // npm makes bins executable when it installs them; a clone runs them from here.
  const { bin } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  await Promise.all(Object.values(bin).map((file) => chmod(join(root, file), 0o755)));
}

/** Removes compiled files whose source is gone, and source maps, which older builds made: they would be published. */
async function removeOrphans(dist, src) {
  if (!existsSync(dist)) return;
  for (const entry of await readdir(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const source = /^(?:\/\.declarations)?(.*)\.(?:js|d\.ts)$/.exec(file.slice(dist.length).replaceAll('\\', '/'))?.[1];
    const made = file.startsWith(join(dist, 'workflow-bundle'));
    const orphan = source !== undefined && !made && !existsSync(`${src}${source}.ts`);
    if (entry.isFile() && (orphan || file.endsWith('.map'))) await rm(file);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  process.exitCode = (await build()) ? 0 : 1;
}
