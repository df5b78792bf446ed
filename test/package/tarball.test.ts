import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const limits = { timeout: 60_000, maxBuffer: 1 << 26 };

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  bin: z.record(z.string(), z.string()),
  exports: z.record(z.string(), z.unknown()),
  dependencies: z.record(z.string(), z.string()),
  peerDependencies: z.record(z.string(), z.string()),
});
const packedSchema = z.tuple([z.object({ filename: z.string(), files: z.array(z.object({ path: z.string() })) })]);

let folder = '';
let files: string[] = [];
let manifest: z.output<typeof manifestSchema>;
/** Where the tarball lies installed, in an empty project. */
let installed = '';

beforeAll(async () => {
  folder = await createTmpFolder();
  manifest = manifestSchema.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  const [packed] = packedSchema.parse(JSON.parse((await exec('npm', args, { cwd: root, ...limits })).stdout));
  files = packed.files.map(({ path }) => path);
  installed = join(folder, 'node_modules', manifest.name);
  await mkdir(installed, { recursive: true });
  await exec('tar', ['-xzf', join(folder, packed.filename), '--strip-components=1', '-C', installed], limits);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  // Only what the package declares: an import of anything else does not resolve.
  for (const name of [...Object.keys(manifest.dependencies), ...Object.keys(manifest.peerDependencies)]) {
    await link(join('node_modules', name));
  }
});

afterAll(async () => {
  await removeFolder(folder);
});

test('no link of the docs leads out of the package', async () => {
  const docs = files.filter((path) => path.startsWith('docs/') && path.endsWith('.md'));
  const broken: string[] = [];
  for (const path of docs) {
    for (const [, target = ''] of (await readFile(join(installed, path), 'utf8')).matchAll(/\]\(([^)#\s]+)/g)) {
      const place = join(dirname(path), target);
      const found = files.some((file) => file === place || file.startsWith(`${place.replace(/\/$/, '')}/`));
      if (!/^[a-z]+:/.test(target) && !found) broken.push(`${path}: ${target}`);
    }
  }
  expect(docs.length).toBeGreaterThan(5);
  expect(broken).toEqual([]);
});

test('the tarball has the build, the schemas, the tools, the driver of vLLM, the docs and nothing else', () => {
  const expected =
    /^(?:dist\/.+\.(?:js|d\.ts|js\.map|json)|schemas\/[a-z-]+\.json|tools\/.+|python\/[a-z_]+\.py|docs\/.+|(?:README|CHANGELOG)\.md|LICENSE|package\.json)$/;
  expect(files.filter((path) => !expected.test(path))).toEqual([]);
  // The workflow bundler takes a .ts file before the .js file beside it.
  expect(files.filter((path) => /\.ts$/.test(path) && !path.endsWith('.d.ts'))).toEqual([]);
  expect(files.filter((path) => /(?:^|\/)(?:src|test|bench|scripts|node_modules)\//.test(path))).toEqual([]);
  expect(files).toEqual(
    expect.arrayContaining([
      'LICENSE',
      'README.md',
      'CHANGELOG.md',
      'schemas/dir.json',
      'tools/requirements-temporal.txt',
      'python/model_prefetch_shard.py',
      'dist/workflow-bundle/workflow-bundle.js',
      'dist/workflow-bundle/bundle.json',
    ])
  );
});

test('every compiled file has its source: nothing that was removed is published', async () => {
  const compiled = files.filter((path) => /^dist\/(?!workflow-bundle\/).+\.js$/.test(path));
  expect(compiled.length).toBeGreaterThan(0);
  for (const path of compiled) {
    await expect(readFile(join(root, path.replace(/^dist/, 'src').replace(/js$/, 'ts')))).resolves.toBeDefined();
  }
});

test('no file names the folder that it was built in', async () => {
  for (const path of files) {
    const text = await readFile(join(installed, path), 'latin1');
    const sourceMap = /sourceMappingURL=data:[^,]+,([\w+/=]+)/.exec(text)?.[1] ?? '';
    expect(text.includes(root), path).toBe(false);
    expect(Buffer.from(sourceMap, 'base64').toString('latin1').includes(root), path).toBe(false);
  }
});

test.each([
  ['.', 'ModelPrefetchPlugin'],
  ['./client', 'PrefetchClient'],
  ['./workflow', 'ensureModel'],
  ['./workflows', 'prefetchModel'],
  ['./worker', 'createWorkers'],
  ['./storage', 'openStore'],
  ['./storage/conformance', 'describeObjectStore'],
  ['./safetensors', 'parseHeader'],
])('an empty project imports %s and finds %s there', async (entry, name) => {
  const specifier = join(manifest.name, entry);
  const code = `const it = await import(${JSON.stringify(specifier)}); console.log(typeof it[${JSON.stringify(name)}]);`;
  expect(await node(['--input-type=module', '--eval', code])).toBe('function');
});

test('an empty project imports the schemas and package.json', async () => {
  for (const file of ['schemas/dir.json', 'schemas/prefetch-input.json', 'schemas/manifest.json', 'package.json']) {
    const specifier = JSON.stringify(`${manifest.name}/${file}`);
    const code = `import { createRequire } from 'node:module';
      console.log(typeof createRequire(import.meta.url)(${specifier}));`;
    expect(await node(['--input-type=module', '--eval', code]), file).toBe('object');
  }
});

test('nothing but the entry points can be imported', async () => {
  for (const path of ['dist/core/errors.js', 'core/errors.js', 'dist/index.js']) {
    const code = `await import(${JSON.stringify(`${manifest.name}/${path}`)})
      .then(() => console.log('found'), (error) => console.log(error.code));`;
    expect(await node(['--input-type=module', '--eval', code])).toBe('ERR_PACKAGE_PATH_NOT_EXPORTED');
  }
});

test('every entry point of package.json is tried above', () => {
  expect(Object.keys(manifest.exports).sort()).toEqual([
    '.',
    './client',
    './package.json',
    './safetensors',
    './schemas/*',
    './storage',
    './storage/conformance',
    './worker',
    './workflow',
    './workflows',
  ]);
});

test('the bundle of the workflows was made by the SDK version that is installed', async () => {
  const version = z.object({ version: z.string() });
  const record = await readFile(join(installed, 'dist/workflow-bundle/bundle.json'), 'utf8');
  const sdk = await readFile(join(root, 'node_modules/@temporalio/worker/package.json'), 'utf8');
  expect(z.object({ sdkVersion: z.string() }).parse(JSON.parse(record)).sdkVersion).toBe(
    version.parse(JSON.parse(sdk)).version
  );
});

test('the bins start with a line that finds Node, and the CLI says its version', async () => {
  for (const file of Object.values(manifest.bin)) {
    expect(await readFile(join(installed, file), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  }
  expect(await node([join(installed, manifest.bin['model-prefetch'] ?? ''), '--version'])).toBe(manifest.version);
});

async function node(args: readonly string[]): Promise<string> {
  return (await exec(process.execPath, args, { cwd: folder, ...limits })).stdout.trim();
}

async function link(path: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(join(root, path), join(folder, path), 'junction');
}
