import { execFile } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, type TestContext } from 'vitest';
import type { ErrorCode } from '../../src/core/errors.js';
import { startDevHub, type DevCommit, type DevHub } from '../../src/dev-hub/index.js';
import { runCli, startWorkerProcess, type CliResult, type CliRun } from '../helpers/cli.js';
import { smallModel, smallRepo } from '../helpers/models.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { temporalCliPath, useTemporalServer } from '../helpers/temporal.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';

const exec = promisify(execFile);
const MiB = 1024 * 1024;

const server = useTemporalServer();
let hub: DevHub;
let root: string;
let store: string;
let env: Record<string, string>;
let worker: CliRun;
/** What the CDN waits for before it answers. */
let beforeBytes: (() => Promise<unknown>) | undefined;

beforeAll(async () => {
  root = await createTmpFolder();
  store = join(root, 'store');
  hub = await startDevHub({
    repos: [
      smallRepo('org/public'),
      smallRepo('org/gated', { gated: 'manual' }),
      smallRepo('org/private', { private: true }),
      { id: 'org/unknown', commits: [ofArchitecture('FalconForCausalLM')] },
      climbing('org/climbing', '../evil.txt'),
      climbing('org/absolute', '/etc/evil.txt'),
      climbing('org/nested', 'weights/../../../evil.txt'),
    ],
    tokens: { hf_good: { name: 'someone', repos: [] } },
    intercept: async ({ origin }) => {
      if (origin !== 'cdn') return undefined;
      await beforeBytes?.();
      return undefined;
    },
  });
  env = {
    TEMPORAL_ADDRESS: server().address,
    HF_ENDPOINT: hub.url,
    HF_TOKEN: 'hf_good',
    MODEL_PREFETCH_STORE: pathToFileURL(store).href,
    MODEL_PREFETCH_SHARED_FILES: 'true',
    MODEL_PREFETCH_ALLOWED_ROOTS: 'ftp://host/models',
    MODEL_PREFETCH_TASK_QUEUE: 'bad-input',
  };
  worker = await startWorkerProcess(env);
});

afterAll(async () => {
  await end(worker);
  await hub.close();
  await removeFolder(root);
});

describe('wrong usage ends with code 2 before anything starts, and names the flag', () => {
  test.each<[string, string, readonly string[]]>([
    ['an unknown flag', '--frobnicate', ['org/public', '--frobnicate']],
    ['a repo name out of shape', 'REPO', ['org/../public']],
    ['a repo name with three parts', 'REPO', ['org/public/extra']],
    ['a repo name that is the URL of no Hub', 'REPO', ['https://example.com/org/public']],
    ['an artifact name out of shape', '--artifact-name', ['org/public', '--artifact-name', '../up']],
    ['a revision out of shape', '--revision', ['org/public', '--revision', 'a..b']],
    ['a raw data path without a scheme', '--raw-data-path', ['org/public', '--raw-data-path', 'models']],
    ['a GPU spec without a count', '--gpu', ['org/public', '--gpu', 'A100']],
    ['a GPU spec of no GPU', '--gpu', ['org/public', '--gpu', 'A100:0']],
    ['a GPU spec with a word for a count', '--gpu', ['org/public', '--gpu', 'A100:four']],
    ['an amount of memory out of shape', '--mem', ['org/public', '--mem', 'plenty']],
    ['a force number below zero', '--force', ['org/public', '--force', '-1']],
    ['a selection that is none', '--selection', ['org/public', '--selection', 'some']],
    ['a form of output that is none', '--output', ['org/public', '--output', 'xml']],
    ['a secret named by its value', '--hf-token-key', ['org/public', '--hf-token-key', 'hf secret']],
    ['a shard config that is not there', '--shard-config', ['org/public', '--shard-config', '/absent/shard.yaml']],
  ])('%s', async (_name, flag, args) => {
    const requests = hub.requests.length;
    const result = await runCli(['hf-model', ...args, '--wait'], env);
    expectRefused(result, 'InvalidInput', 2);
    expect(lastLine(result)).toContain(flag);
    expect(hub.requests).toHaveLength(requests);
  });

  test.each([
    ['is no YAML', 'engine: [', 'neither YAML nor JSON'],
    ['has a field that nobody knows', '{engine: auto, args: {tensor_parallel_size: 2, speed: 9}}', 'args.speed'],
  ])('a shard config that %s', async (_name, content, reason) => {
    const file = join(await tmpFolder(), 'shard.yaml');
    await writeFile(file, content);
    const result = await runCli(['hf-model', 'org/public', '--wait', '--shard-config', file], env);
    expectRefused(result, 'InvalidInput', 2);
    expect(lastLine(result)).toContain(`--shard-config ${file}`);
    expect(lastLine(result)).toContain(reason);
  });
});

describe('a run that cannot succeed ends with code 1, the stable code and nothing published', () => {
  test.each<[string, ErrorCode, readonly string[]]>([
    ['an unknown revision', 'RevisionNotFound', ['org/public', '--revision', 'no-such-branch']],
    ['a commit that is not there', 'RevisionNotFound', ['org/public', '--revision', '0'.repeat(40)]],
    ['a gated repo without access', 'GatedRepo', ['org/gated']],
    ['a private repo of others', 'RepoNotFound', ['org/private']],
    ['a missing repo', 'RepoNotFound', ['org/absent']],
    [
      'a destination that the worker does not write to',
      'DestinationNotAllowed',
      ['org/public', '--raw-data-path', 'file:///etc/models'],
    ],
    ['a secret that is not allowed', 'TokenNotAllowed', ['org/public', '--hf-token-key', 'AWS_SECRET_ACCESS_KEY']],
    ['a named secret that is not there', 'TokenNotFound', ['org/public', '--hf-token-key', 'HF_TOKEN_OF_NOBODY']],
    ['globs that take nothing', 'NothingSelected', ['org/public', '--include', '*.gguf']],
    ['a repo with a path that climbs out', 'UnsafePath', ['org/climbing']],
    ['a repo with an absolute path', 'UnsafePath', ['org/absolute']],
    ['a repo with a path that climbs out from within', 'UnsafePath', ['org/nested']],
  ])('%s', async (_name, code, args) => {
    const bytes = fileRequests();
    const result = await runCli(['hf-model', ...args, '--wait', '--output', 'json'], env);
    expectRefused(result, code, 1);
    expect(fileRequests()).toBe(bytes);
    expect(await manifestsUnder(root)).toEqual([]);
    expect(await readdir(root)).not.toContain('evil.txt');
  });

  test('an architecture that engine native does not know, with nothing read but its config', async () => {
    const file = join(await tmpFolder(), 'shard.yaml');
    await writeFile(file, 'engine: native\nargs:\n  tensor_parallel_size: 2\n');
    const requests = hub.requests.length;
    const result = await runCli(['hf-model', 'org/unknown', '--wait', '--shard-config', file, '--gpu', 'L4:2'], env);
    expectRefused(result, 'UnsupportedSharding', 1);
    expect(lastLine(result)).toContain('The architecture FalconForCausalLM is none of those verified');
    expect(new Set(requestedFiles(hub.requests.slice(requests)))).toEqual(new Set(['config.json']));
    expect(await manifestsUnder(root)).toEqual([]);
  });

  test('a token that the Hub does not know, though the repo is public', async () => {
    const home = await tmpFolder();
    const result = await runCli(['hf-model', 'org/public'], embedded(home, { HF_TOKEN: 'hf_bad' }));
    expectRefused(result, 'InvalidToken', 1);
    expect(result.stderr).not.toContain('hf_bad');
    expect(await manifestsUnder(home)).toEqual([]);
  });

  test('a store that is a file', async () => {
    const file = join(await tmpFolder(), 'store');
    await writeFile(file, 'not a folder');
    const result = await runCli(['hf-model', 'org/public', '--store', file], embedded(await tmpFolder()));
    expectRefused(result, 'StoreAccessDenied', 1);
    expect(lastLine(result)).toContain(file);
  });

  test.each([
    ['unknown fields', '{"repo":"org/public","brunch":"main"}', 'brunch: unknown field'],
    ['an unknown field within', '{"repo":"org/public","resources":{"gpus":"L4:1"}}', 'resources.gpus: unknown field'],
    ['a repo that is a number', '{"repo":7}', 'repo: '],
    ['no repo', '{}', 'repo: '],
  ])('JSON input with %s, from the Temporal CLI', async (name, input, reason) => {
    const args = ['--task-queue', 'bad-input', '--workflow-id', `bad-json ${name}`, '--input', input];
    const error = await exec(await temporalCliPath(), [
      ...['workflow', 'execute', '--address', server().address, '--type', 'prefetchModel'],
      ...args,
    ]).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 1 });
    expect(error).toHaveProperty('stdout', expect.stringContaining(`InvalidInput: `));
    expect(error).toHaveProperty('stdout', expect.stringContaining(reason));
    expect(await manifestsUnder(root)).toEqual([]);
  });
});

describe('a Temporal service that cannot serve', () => {
  test('a worker that is not there: the queue is named, and no run is left behind', async () => {
    const lonely = ['org/public', '--revision', 'lonely'];
    const result = await runCli(['hf-model', ...lonely, '--wait'], { ...env, MODEL_PREFETCH_TASK_QUEUE: 'nobody' });
    expectRefused(result, 'NoWorkers', 1);
    expect(lastLine(result)).toContain('"nobody"');
    const status = await runCli(['status', ...lonely], env);
    expect(status.code).toBe(1);
    expect(lastLine(status)).toMatch(/^WorkflowNotFound: /);
  });

  test.each([['hf-model'], ['status'], ['result'], ['cancel'], ['worker']])(
    'a server that is not there ends %s and is named by its address',
    async (command) => {
      const address = await closedAddress();
      const args = command === 'worker' ? [command] : [command, 'org/public'];
      const result = await runCli(args, { ...env, TEMPORAL_ADDRESS: address });
      expectRefused(result, 'ServerUnavailable', 1);
      expect(lastLine(result)).toContain(address);
    }
  );
});

describe('a full disk', () => {
  test('is told before a byte moves, with the folder and the needed and the free bytes', async (context) => {
    const folder = await tinyDisk(context);
    const before = fileRequests();
    const result = await runCli(['hf-model', 'org/public', '--store', folder], embedded(await tmpFolder()));
    expectRefused(result, 'DiskFull', 1);
    expect(lastLine(result)).toContain(folder);
    const numbers = [...lastLine(result).matchAll(/\d[\d,]{6,}/g)].map(([digits]) =>
      Number(digits.replaceAll(',', ''))
    );
    expect(numbers.some((bytes) => bytes > 20_000_000)).toBe(true);
    expect(numbers.some((bytes) => bytes > 0 && bytes <= 8 * MiB)).toBe(true);
    expect(fileRequests()).toBe(before);
    expect(await manifestsUnder(folder)).toEqual([]);
  });

  test('that fills up during the run ends the run by the same code', async (context) => {
    const folder = await tinyDisk(context, 28 * MiB);
    let filled: Promise<unknown> | undefined;
    beforeBytes = () => (filled ??= exec('fallocate', ['-l', '20MiB', join(folder, 'of-someone-else')]));
    onTestFinished(() => {
      beforeBytes = undefined;
    });
    const result = await runCli(['hf-model', 'org/public', '--store', folder], embedded(await tmpFolder()));
    expectRefused(result, 'DiskFull', 1);
    expect(lastLine(result)).toContain(folder);
    expect(await manifestsUnder(folder)).toEqual([]);
  });
});

describeWithS3('a bucket that cannot be used', () => {
  let s3: S3Server;
  let buckets: string;
  const absent = { AWS_CONFIG_FILE: '/absent/config', AWS_SHARED_CREDENTIALS_FILE: '/absent/credentials' };

  beforeAll(async () => {
    buckets = await createTmpFolder();
    s3 = await startVersitygw({ folder: buckets });
  });

  afterAll(async () => {
    await s3.stop();
    await removeFolder(buckets);
  });

  test.each<[string, ErrorCode, string, Record<string, string>]>([
    ['is missing', 'BucketNotFound', 's3://no-such-bucket/models', {}],
    ['is forbidden', 'StoreAccessDenied', 's3://models/root', { AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' }],
    ['belongs to keys that nobody knows', 'StoreAccessDenied', 's3://models/root', { AWS_ACCESS_KEY_ID: 'nobody' }],
  ])('because it %s', async (_name, code, url, keys) => {
    const result = await runCli(['hf-model', 'org/public', '--store', url], {
      ...embedded(await tmpFolder()),
      ...s3.env,
      ...keys,
    });
    expectRefused(result, code, 1);
    expect(lastLine(result)).toContain(new URL(url).host);
    expect(result.stderr).not.toContain('wrong-secret-key');
    expect(await manifestsUnder(buckets)).toEqual([]);
  });

  test('because no credentials are there', async () => {
    const { AWS_ENDPOINT_URL_S3 = '' } = s3.env;
    const result = await runCli(['hf-model', 'org/public', '--store', 's3://models/root'], {
      ...embedded(await tmpFolder()),
      ...absent,
      AWS_ENDPOINT_URL_S3,
      AWS_REGION: 'us-east-1',
      AWS_EC2_METADATA_DISABLED: 'true',
    });
    expectRefused(result, 'StoreCredentialsMissing', 1);
    expect(await manifestsUnder(buckets)).toEqual([]);
  });
});

function expectRefused(result: CliResult, code: ErrorCode, exitCode: 1 | 2): void {
  expect({ code: result.code, stdout: result.stdout }, result.stderr).toEqual({ code: exitCode, stdout: '' });
  expect(lastLine(result)).toMatch(new RegExp(`^${code}: \\S`));
}

function lastLine({ stderr }: CliResult): string {
  return stderr.trim().split('\n').at(-1) ?? '';
}

/** Requests for the bytes of files, of any repo. */
function fileRequests(): number {
  return requestedFiles(hub.requests).length;
}

function requestedFiles(requests: DevHub['requests']): string[] {
  const bytes = requests.filter(({ method, path }) => method === 'GET' && /\/resolve(?:-cache)?\//.test(path));
  return bytes.map(({ path }) => path.split('/').at(-1) ?? '');
}

function embedded(home: string, more: Record<string, string> = {}): Record<string, string> {
  return { MODEL_PREFETCH_HOME: home, HF_ENDPOINT: hub.url, ...more };
}

function ofArchitecture(name: string): DevCommit {
  const bytes = new TextEncoder().encode(JSON.stringify({ architectures: [name] }));
  return { files: { ...smallModel().files, 'config.json': { bytes } } };
}

function climbing(id: string, path: string) {
  const bytes = new TextEncoder().encode('evil');
  return { id, commits: [{ files: { 'config.json': { bytes }, [path]: { bytes } } }] };
}

async function manifestsUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((path) => path.endsWith('manifest.json'));
}

/** A file system of a few megabytes; where nobody may mount one, the test is skipped, and says so. */
async function tinyDisk(context: TestContext, bytes = 8 * MiB): Promise<string> {
  const folder = join(await tmpFolder(), 'disk');
  await mkdir(folder);
  try {
    await exec('mount', ['-t', 'tmpfs', '-o', `size=${String(bytes)}`, 'tmpfs', folder]);
  } catch {
    console.warn('SKIPPED: a full disk: mounting a small tmpfs was refused. It needs Linux and root.');
    return context.skip('No tmpfs can be mounted.');
  }
  onTestFinished(async () => {
    await exec('umount', [folder]);
  });
  return folder;
}

/** An address on which nobody listens: a port that was free a moment ago. */
async function closedAddress(): Promise<string> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // a TCP server's address is never a string
  await new Promise((resolve) => probe.close(resolve));
  return `127.0.0.1:${String(port)}`;
}

async function end(cli: CliRun): Promise<void> {
  cli.killGroup();
  await cli.ended;
}
