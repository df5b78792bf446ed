// node scripts/schemas.mjs: makes schemas/*.json from the zod schemas in dist; --check only compares.
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { root } from './steps.mjs';

const published = [
  {
    file: 'prefetch-input.json',
    id: 'input',
    io: 'input',
    from: 'input.js',
    name: 'inputSchema',
    title: 'PrefetchInput',
  },
  { file: 'dir.json', id: 'dir', io: 'output', from: 'dir.js', name: 'dirSchema', title: 'Dir' },
  {
    file: 'manifest.json',
    id: 'manifest',
    io: 'output',
    from: 'manifest.js',
    name: 'manifestSchema',
    title: 'Manifest',
  },
];

/** Writes the files that differ. */
export async function writeSchemas() {
  const outdated = await outdatedSchemas();
  await mkdir(join(root, 'schemas'), { recursive: true });
  for (const { file, text } of outdated) await writeFile(join(root, 'schemas', file), text);
  return outdated.length === 0 ? 'up to date' : `wrote ${outdated.map(({ file }) => file).join(', ')}`;
}

/** The files whose content is not what the zod schemas say. */
export async function outdatedSchemas() {
  const outdated = [];
  for (const { file, ...schema } of published) {
    const path = join(root, 'schemas', file);
    const text = `${JSON.stringify(await toJsonSchema(schema), null, 2)}\n`;
    if (!existsSync(path) || (await readFile(path, 'utf8')) !== text) outdated.push({ file, text });
  }
  return outdated;
}

async function toJsonSchema({ id, io, from, name, title }) {
  const module = await import(pathToFileURL(join(root, 'dist/core/schemas', from)).href);
  const { $schema, ...body } = z.toJSONSchema(module[name], { target: 'draft-2020-12', io });
  return { $schema, $id: `urn:temporal-model-prefetch:${id}:1`, title, ...body };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--check')) {
    const outdated = await outdatedSchemas();
    for (const { file } of outdated) console.error(`schemas/${file} is not up to date: run npm run build`);
    process.exitCode = outdated.length === 0 ? 0 : 1;
  } else console.log(await writeSchemas());
}
