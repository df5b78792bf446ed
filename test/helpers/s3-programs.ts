import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { S3Options } from '../../src/storage/index.js';

/** A running S3 server with one bucket. */
export interface S3Server {
  readonly endpoint: string;
  readonly accessKey: string;
  readonly secretKey: string;
  readonly bucket: string;
  /** What a child process needs to use it. */
  readonly env: Readonly<Record<string, string>>;
  /** What `openStore` needs to use it from here. */
  readonly options: S3Options;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const script = fileURLToPath(new URL('../../scripts/s3.mjs', import.meta.url));
const keys = { accessKey: 'prefetch-test', secretKey: 'prefetch-test-secret' };
const bucket = 'models';

/** The store named by S3_TEST_ENDPOINT, if there is one. */
export function externalS3(): Omit<S3Server, 'stop'> | undefined {
  const endpoint = process.env['S3_TEST_ENDPOINT'];
  if (endpoint === undefined || endpoint === '') return undefined;
  const accessKey = process.env['AWS_ACCESS_KEY_ID'] ?? '';
  const secretKey = process.env['AWS_SECRET_ACCESS_KEY'] ?? '';
  return describeServer({ endpoint, accessKey, secretKey, bucket: process.env['S3_TEST_BUCKET'] ?? bucket });
}

/** How versitygw is started; with `dataIntegrityEtag` its etags are no MD5. */
export interface VersitygwOptions {
  readonly dataIntegrityEtag?: boolean;
  readonly folder?: string;
  /** The one region that requests must be signed for. */
  readonly region?: string;
  /** Buckets are in host names below this one too. */
  readonly virtualDomain?: string;
}

/** versitygw on a folder. */
export async function startVersitygw(options: VersitygwOptions = {}): Promise<S3Server> {
  const { region, virtualDomain } = options;
  return startServer('versitygw', options.folder, (port, data) => ({
    args: [
      ...['--port', `127.0.0.1:${String(port)}`, '--keep-alive', '--quiet'],
      ...(region === undefined ? [] : ['--region', region]),
      ...(virtualDomain === undefined ? [] : ['--virtual-domain', virtualDomain]),
      'posix',
      ...(options.dataIntegrityEtag === true ? ['--data-integrity-etag'] : []),
      data,
    ],
    env: { ROOT_ACCESS_KEY: keys.accessKey, ROOT_SECRET_KEY: keys.secretKey },
  }));
}

/** minio on a folder; with `kmsKey` it has one key of that name to encrypt with. */
export async function startMinio({ kmsKey }: { readonly kmsKey?: string } = {}): Promise<S3Server> {
  return startServer('minio', undefined, (port, data) => ({
    args: ['server', '--address', `127.0.0.1:${String(port)}`, '--quiet', data],
    env: {
      MINIO_ROOT_USER: keys.accessKey,
      MINIO_ROOT_PASSWORD: keys.secretKey,
      MINIO_CI_CD: '1',
      MINIO_BROWSER: 'off',
      ...(kmsKey === undefined ? {} : { MINIO_KMS_SECRET_KEY: `${kmsKey}:${randomBytes(32).toString('base64')}` }),
    },
  }));
}

/** `rclone serve s3`: a store that cannot do what streaming needs. */
export async function startRcloneS3(): Promise<S3Server> {
  return startServer('rclone', undefined, (port, data) => ({
    args: [
      ...['serve', 's3', '--addr', `127.0.0.1:${String(port)}`],
      ...['--auth-key', `${keys.accessKey},${keys.secretKey}`, data],
    ],
    env: { RCLONE_CONFIG: '/dev/null' },
  }));
}

async function startServer(
  name: string,
  givenFolder: string | undefined,
  command: (port: number, data: string) => { readonly args: readonly string[]; readonly env: Record<string, string> }
): Promise<S3Server> {
  const program = await programOf(name);
  const folder = givenFolder ?? (await mkdtemp(join(tmpdir(), `prefetch-${name}-`)));
  await mkdir(join(folder, bucket), { recursive: true });
  const port = await freePort();
  const { args, env } = command(port, folder);
  const server = spawn(program, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
  const onExit = () => server.kill('SIGKILL');
  process.once('exit', onExit);
  server.once('exit', () => process.off('exit', onExit));
  const said: string[] = [];
  server.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  const endpoint = `http://127.0.0.1:${String(port)}`;
  await untilReady({ name, endpoint, server, said });
  return {
    ...describeServer({ endpoint, bucket, ...keys }),
    stop: async () => {
      await stop(server);
      if (givenFolder === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

function describeServer(
  server: Pick<S3Server, 'endpoint' | 'bucket' | 'accessKey' | 'secretKey'>
): Omit<S3Server, 'stop'> {
  const { endpoint, accessKey, secretKey } = server;
  return {
    ...server,
    env: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: accessKey,
      AWS_SECRET_ACCESS_KEY: secretKey,
    },
    options: {
      endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    },
  };
}

/** Built by the project's own script, once per user. */
async function programOf(name: string): Promise<string> {
  const { stdout } = await run(process.execPath, [script, 'build', name]);
  return stdout.trim();
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // a TCP server's address is never a string
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

async function untilReady(started: {
  readonly name: string;
  readonly endpoint: string;
  readonly server: ChildProcess;
  readonly said: readonly string[];
}): Promise<void> {
  const { name, endpoint, server, said } = started;
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline) {
    if (server.exitCode !== null) throw new Error(`${name} ended with code ${server.exitCode}: ${said.join('')}`);
    // Any answer but "not yet" will do; minio says 503 while it starts.
    const status = await fetch(`${endpoint}/${bucket}`).then(
      (answer) => answer.status,
      () => 503
    );
    if (status !== 503) return;
    await delay(50);
  }
  await stop(server);
  throw new Error(`${name} was not ready within a minute: ${said.join('')}`);
}

async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const ended = new Promise((resolve) => server.once('exit', resolve));
  server.kill('SIGKILL');
  await ended;
}
