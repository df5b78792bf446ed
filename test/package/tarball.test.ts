import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
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
  author: z.string(),
  homepage: z.string(),
  bugs: z.object({ url: z.string() }),
  repository: z.object({ url: z.string() }),
});
const fileSchema = z.object({ path: z.string(), size: z.number() });
const packedSchema = z.tuple([z.object({ filename: z.string(), size: z.number(), files: z.array(fileSchema) })]);

let folder = '';
let sizes: z.output<typeof fileSchema>[] = [];
let files: string[] = [];
let packedBytes = 0;
let manifest: z.output<typeof manifestSchema>;
/** Where the tarball lies installed, in an empty project. */
let installed = '';

beforeAll(async () => {
  folder = await createTmpFolder();
  manifest = manifestSchema.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
  const args = ['pack', '--json', '--ignore-scripts', '--loglevel=error', '--pack-destination', folder];
  const [packed] = packedSchema.parse(JSON.parse((await exec('npm', args, { cwd: root, ...limits })).stdout));
  sizes = packed.files;
  files = sizes.map(({ path }) => path);
  packedBytes = packed.size;
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

test('every link of every document in the tarball leads to something in it', async () => {
  const documents = files.filter((path) => path.endsWith('.md'));
  const broken: string[] = [];
  for (const path of documents) {
    for (const target of linksOf(await readFile(join(installed, path), 'utf8'))) {
      const place = join(dirname(path), decodeURI(target)).replace(/\/$/, '');
      const found = files.some((file) => file === place || file.startsWith(`${place}/`));
      if (!found) broken.push(`${path}: ${target}`);
    }
  }
  expect(documents).toEqual(
    expect.arrayContaining([
      'README.md',
      'docs/cli.md',
      'deploy/kubernetes/README.md',
      'examples/inference-workflow/README.md',
    ])
  );
  expect(broken).toEqual([]);
});

test('folders that documents speak of without a link are in the tarball too', async () => {
  for (const path of files.filter((file) => /^(?:README|docs\/[a-z-]+)\.md$/.test(file))) {
    const text = await readFile(join(installed, path), 'utf8');
    for (const [, named = ''] of text.matchAll(/`((?:deploy|examples|schemas|tools|python)\/[\w./-]*)`/g)) {
      const place = named.replace(/\/$/, '');
      expect(
        files.some((file) => file === place || file.startsWith(`${place}/`)),
        `${path}: ${named}`
      ).toBe(true);
    }
  }
});

test('the tarball has the build, the schemas, what it runs, the docs, the examples and nothing else', () => {
  const expected = [
    /^dist\/.+\.(?:js|d\.ts)$/,
    /^dist\/workflow-bundle\/bundle\.json$/,
    /^schemas\/[a-z-]+\.json$/,
    /^tools\/requirements-temporal\.txt$/,
    /^python\/[a-z_]+\.py$/,
    /^docs\/.+\.(?:md|png)$/,
    /^examples\/[a-z-]+\/[\w.-]+\.(?:md|ts|json)$/,
    /^deploy\/.+\.(?:md|yaml)$/,
    /^(?:README|CHANGELOG|CONTRIBUTING)\.md$|^LICENSE$|^package\.json$/,
  ];
  expect(files.filter((path) => !expected.some((pattern) => pattern.test(path)))).toEqual([]);
  // The workflow bundler takes a .ts file before the .js file beside it.
  expect(files.filter((path) => /^dist\/.*(?<!\.d)\.ts$/.test(path))).toEqual([]);
  expect(files.filter((path) => /(?:^|\/)(?:src|test|bench|scripts|torture|node_modules)\//.test(path))).toEqual([]);
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

test('types lead to types that are there, and there are no others', async () => {
  const needed = new Set(
    Object.values(manifest.exports).flatMap((entry) => {
      const types = z.object({ types: z.string() }).safeParse(entry).data?.types;
      return types === undefined ? [] : [join(types)];
    })
  );
  for (const path of needed) {
    const text = await readFile(join(installed, path), 'utf8');
    for (const [, target = ''] of text.matchAll(/(?:from|import\() ?['"](\.[^'"]+)\.js['"]/g)) {
      needed.add(join(dirname(path), `${target}.d.ts`));
    }
  }
  expect([...needed].sort()).toEqual(files.filter((path) => /^dist\/.*\.d\.ts$/.test(path)).sort());
});

test('no source map is published or asked for, but the one that the SDK wants in the bundle', async () => {
  expect(files.filter((path) => path.endsWith('.map'))).toEqual([]);
  for (const path of files.filter((file) => file.endsWith('.js') && !file.startsWith('dist/workflow-bundle/'))) {
    expect(await readFile(join(installed, path), 'utf8'), path).not.toContain('sourceMappingURL=');
  }
});

test('the tarball stays small: most of it is code, and no file is large but the bundle of the workflows', () => {
  const large = sizes.filter(({ path, size }) => size > 150_000 && !path.startsWith('dist/workflow-bundle/'));
  expect(large).toEqual([]);
  expect(packedBytes).toBeLessThan(1_000_000);
});

test('the addresses of the project are one, and documents that name it name that one', async () => {
  const address = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
  expect(manifest).toMatchObject({ homepage: `${address}#readme`, bugs: { url: `${address}/issues` } });
  expect(manifest.author).not.toBe('');
  for (const path of files.filter((file) => file.endsWith('.md'))) {
    const text = await readFile(join(installed, path), 'utf8');
    for (const [named] of text.matchAll(/https:\/\/[\w.-]+\/[\w-]+\/temporal-model-prefetch/g)) {
      expect(named, path).toBe(address);
    }
  }
});

test('npm pack builds first, also in a clone where nothing was built', async () => {
  const clone = join(folder, 'clone');
  await mkdir(join(clone, 'scripts'), { recursive: true });
  for (const file of [
    'package.json',
    'package-lock.json',
    'scripts/prepare.mjs',
    'scripts/set-up.mjs',
    'scripts/steps.mjs',
  ]) {
    await copyFile(join(root, file), join(clone, file));
  }
  // Stands for an installation, which is newer than the lock: an older one would be replaced.
  await mkdir(join(clone, 'node_modules/typescript'), { recursive: true });
  await writeFile(join(clone, 'node_modules/.package-lock.json'), '{}');
  // In place of the compiler, which takes long: whether it is called is what this is about.
  const build = `import { mkdirSync, writeFileSync } from 'node:fs';
    export const build = () => (mkdirSync('dist', { recursive: true }), writeFileSync('dist/built.js', ''), true);`;
  await writeFile(join(clone, 'scripts/build.mjs'), build);
  const { stdout } = await exec('npm', ['pack', '--json', '--dry-run', '--silent'], { cwd: clone, ...limits });
  const [{ files: packed }] = packedSchema.parse(JSON.parse(stdout));
  expect(packed.map(({ path }) => path)).toContain('dist/built.js');
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
  ['./activities', 'createActivities'],
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
    './activities',
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

test('npx finds the CLI by the name of the package alone', () => {
  expect(manifest.bin[manifest.name]).toBe(manifest.bin['model-prefetch']);
});

test('the bins start with a line that finds Node, and the CLI says its version', async () => {
  for (const file of Object.values(manifest.bin)) {
    expect(await readFile(join(installed, file), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  }
  expect(await node([join(installed, manifest.bin['model-prefetch'] ?? ''), '--version'])).toBe(manifest.version);
});

/** Where the links and the images of a document lead that name no other place. */
function linksOf(markdown: string): string[] {
  const found = [...markdown.matchAll(/\]\(([^)#\s]+)|(?:src|href)="([^"#]+)|^\[[^\]]+\]: +([^#\s]+)/gm)];
  const targets = found.map(([, inline, html, reference]) => inline ?? html ?? reference ?? '');
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

async function node(args: readonly string[]): Promise<string> {
  return (await exec(process.execPath, args, { cwd: folder, ...limits })).stdout.trim();
}

async function link(path: string): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await symlink(join(root, path), join(folder, path), 'junction');
}
