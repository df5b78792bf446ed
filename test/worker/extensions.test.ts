import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadExtensions } from '../../src/worker/extensions.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

const CODEC = '{ encode: async (payloads) => payloads, decode: async (payloads) => payloads }';
let folder: string;

beforeAll(async () => {
  folder = await createTmpFolder();
  const files = {
    'default.mjs': `export default { payloadCodecs: [${CODEC}] };`,
    'named.mjs': `export const dataConverter = { payloadCodecs: [${CODEC}] };`,
    'bare.mjs': `export const payloadCodecs = [${CODEC}];`,
    'function.mjs': `export default async () => ({ payloadCodecs: [${CODEC}] });`,
    'codec.mjs': `export default ${CODEC};`,
    'list.mjs': `export default [${CODEC}];`,
    'class.mjs': `export default class { async encode(payloads) { return payloads; } async decode(payloads) { return payloads; } }`,
    'common.cjs': `module.exports = { payloadCodecs: [${CODEC}] };`,
    'common-named.cjs': `exports.dataConverter = { payloadCodecs: [${CODEC}] };`,
    'none.mjs': 'export default 42;',
    'bad-codec.mjs': 'export default { payloadCodecs: [{ encode() {} }] };',
    'bad-path.mjs': 'export default { payloadConverterPath: "/nowhere/at/all.cjs" };',
    'bad-failures.mjs': 'export default { failureConverterPath: "/nowhere/x.cjs" };',
    'relative.mjs': 'export default { payloadConverterPath: "./rel.cjs" };',
    'empty.cjs': '',
    'no-failures.mjs': `export default { failureConverterPath: ${JSON.stringify(join(folder, 'empty.cjs'))} };`,
    'throws.mjs': 'throw new Error("no key for https://me:geheim@keys.example/x?sig=abc");',
    'throws-later.mjs': 'export default () => { throw new Error("no key in the environment"); };',
    'syntax.mjs': 'export default {',
    'plugin.mjs': 'export default { name: "mine", configureWorker: (options) => options };',
    'plugin-function.mjs': 'export const plugin = () => ({ name: "mine", configureClient: (options) => options });',
    'plugin-class.mjs':
      'export default class { get name() { return "mine"; } runWorker(worker, next) { return next(worker); } };',
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const installed = join(folder, 'node_modules/@me/codec');
  await mkdir(installed, { recursive: true });
  // Only for import, as many packages are.
  const manifest = { name: '@me/codec', type: 'module', exports: { '.': { import: './index.js' } } };
  await writeFile(join(installed, 'package.json'), JSON.stringify(manifest));
  await writeFile(join(installed, 'index.js'), files['default.mjs']);
});

afterAll(async () => {
  await removeFolder(folder);
});

describe('MODEL_PREFETCH_DATA_CONVERTER', () => {
  test.each([
    ...['./default.mjs', 'default.mjs', './named.mjs', './bare.mjs', './function.mjs', './codec.mjs', './list.mjs'],
    ...['./class.mjs', './common.cjs', './common-named.cjs', '@me/codec'],
  ])('takes %s', async (module) => {
    const { dataConverter } = await loadExtensions({ dataConverter: module }, folder);
    expect(dataConverter?.payloadCodecs).toHaveLength(1);
  });

  test('takes an absolute path and a file: URL', async () => {
    const path = join(folder, 'default.mjs');
    for (const dataConverter of [path, pathToFileURL(path).href]) {
      expect((await loadExtensions({ dataConverter }, folder)).dataConverter?.payloadCodecs).toHaveLength(1);
    }
  });

  test.each([
    ['./missing.mjs', 'is not there'],
    ['@me/missing', 'cannot be loaded: '],
    ['./none.mjs', 'exports no data converter'],
    ['./bad-codec.mjs', 'exports no data converter'],
    ['./bad-path.mjs', '/nowhere/at/all.cjs'],
    [
      './bad-failures.mjs',
      "failureConverterPath that cannot be loaded: /nowhere/x.cjs (Cannot find module '/nowhere/x.cjs')",
    ],
    ['./relative.mjs', "./rel.cjs (Cannot find module './rel.cjs'). It needs an absolute path"],
    ['./no-failures.mjs', 'without an export failureConverter with errorToFailure and failureToError'],
    ['./throws.mjs', 'no key for'],
    ['./throws-later.mjs', 'throws: no key in the environment'],
    ['./syntax.mjs', 'cannot be loaded: '],
  ])('refuses %s, naming the variable and the module', async (module, why) => {
    const error = await loadExtensions({ dataConverter: module }, folder).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'InvalidInput' });
    expect(String(error)).toContain(`MODEL_PREFETCH_DATA_CONVERTER: ${module} `);
    expect(String(error)).toContain(why);
    expect(String(error)).not.toMatch(/geheim|sig=abc|Require stack/);
    expect(String(error).match(/InvalidInput/g)).toHaveLength(1);
  });
});

describe('MODEL_PREFETCH_PLUGINS', () => {
  test.each(['./plugin.mjs', './plugin-function.mjs', './plugin-class.mjs'])('takes %s', async (module) => {
    expect((await loadExtensions({ plugins: [module] }, folder)).plugins).toMatchObject([{ name: 'mine' }]);
  });

  test.each(['./missing.mjs', './default.mjs', './throws.mjs'])('refuses %s', async (module) => {
    await expect(loadExtensions({ plugins: [module] }, folder)).rejects.toThrow(
      `InvalidInput: MODEL_PREFETCH_PLUGINS: ${module} `
    );
  });
});
