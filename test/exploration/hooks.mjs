import { readFile } from 'node:fs/promises';

/**
 * Files of a few bytes stand for big ones here, so that what asks how big a file is has to think smaller. Nothing else of
 * the package is changed, but for fixes that are taken out.
 */
const SCALE = [
  { file: 'src/steps/transfer-batch.ts', find: '= 8 * MiB;', replace: '= 5;' },
  { file: 'src/steps/tidy-dir.ts', find: '= 5 * MiB;', replace: '= 4;' },
];

let patches = SCALE;

/** @param given.patches - `{ file, find, replace }`, as texts to find in files of the package and what to have instead */
export function initialize(given) {
  patches = [...SCALE, ...given.patches];
}

const root = new URL('../../', import.meta.url).href;
/** Bytes go to the store in memory, and nothing happens in another thread. */
const replaced = ['http/put-bytes', 'http/stream-range', 'http/get-range', 'transfer/threads/hash-thread'];

/** Gives a module of the package with its patches, and those that move bytes as the exploration has them. */
export async function load(url, context, next) {
  const [place, query] = url.split('?');
  if (query === 'original') return next(place, context);
  const source = await changed(place.startsWith(root) ? place.slice(root.length) : '', place);
  return source === undefined ? next(url, context) : { format: 'module', shortCircuit: true, source };
}

async function changed(path, url) {
  const name = replaced.find((each) => path === `src/${each}.ts`);
  if (name !== undefined) return `export * from '${root}test/exploration/replaced/${name.split('/').at(-1)}.ts';`;
  const mine = patches.filter(({ file }) => file === path);
  if (mine.length === 0) return undefined;
  return mine.reduce(patch, await readFile(new URL(url), 'utf8'));
}

function patch(source, { file, find, replace }) {
  const found = source.split(find).length - 1;
  if (found !== 1) throw new Error(`${file} has ${found} times what is to be taken out: ${find}`);
  return source.replace(find, () => replace);
}
