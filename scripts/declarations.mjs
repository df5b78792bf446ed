import { copyFile, mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { root } from './steps.mjs';

const dist = join(root, 'dist');
/** Where tsc puts the declarations of all files. They stay there, for it writes only those anew that changed. */
const all = join(dist, '.declarations');

/** Puts the declarations that the entry points of package.json lead to into dist, and no others: nobody can import those. */
export async function placeDeclarations() {
  const needed = await declarationsOf(await readEntryPoints());
  for (const file of await declarationsIn(dist)) {
    if (!file.startsWith('.declarations') && !needed.has(file)) await rm(join(dist, file));
  }
  for (const file of needed) {
    await copyChanged(join(all, file), join(dist, file));
  }
  return `${needed.size} files`;
}

/** A build that changes nothing disturbs nobody who reads dist meanwhile. */
async function copyChanged(from, to) {
  const [wanted, there] = await Promise.all([readFile(from), readFile(to).catch(() => undefined)]);
  if (there !== undefined && wanted.equals(there)) return;
  await mkdir(dirname(to), { recursive: true });
  await copyFile(from, to);
}

async function readEntryPoints() {
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  return Object.values(exports).flatMap(({ types }) => (types === undefined ? [] : [types.replace('./dist/', '')]));
}

/** The entry points and what they import, and what that imports. */
async function declarationsOf(entryPoints) {
  const found = new Set(entryPoints.map(normalize));
  // A set gives what is added during the loop too.
  for (const file of found) {
    const text = await readFile(join(all, file), 'utf8');
    for (const [, target] of text.matchAll(/['"](\.{1,2}\/[^'"]+)\.js['"]/g)) {
      found.add(`${join(dirname(file), target)}.d.ts`);
    }
  }
  return found;
}

async function declarationsIn(folder) {
  return (await readdir(folder, { recursive: true })).filter((file) => file.endsWith('.d.ts'));
}
