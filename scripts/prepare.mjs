// Builds the package. npm runs it after an installation in a clone, before it packs, and where a project has the package
// from git; `--install` first installs packages where there are none: a fresh clone can be packed at once.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { buildAll, checkNode, install } from './set-up.mjs';
import { root, step } from './steps.mjs';

process.exitCode = (await main(process.argv.includes('--install'))) ? 0 : 1;

async function main(installs) {
  if (!(await step('Node', checkNode))) return false;
  if (installs && !(await step('Install packages', install))) return false;
  return (await step('Find the compiler', findCompiler)) && buildAll();
}

function findCompiler() {
  if (existsSync(join(root, 'node_modules/typescript'))) return;
  throw new Error(
    'The development dependencies are not installed, so nothing can be built. Install them (npm ci --include=dev), ' +
      'or leave the build out (--ignore-scripts).'
  );
}
