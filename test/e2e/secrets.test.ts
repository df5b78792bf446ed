import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { startCli, startWorkerProcess, type CliRun } from '../helpers/cli.js';
import { echoesOf, shownForms } from '../helpers/echoed-forms.js';
import {
  expiredUrl,
  hubFaults,
  serverError,
  truncated,
  wrongContentRange,
  type NamedFault,
} from '../helpers/hub-faults.js';
import { until } from '../helpers/local-server.js';
import { smallRepo } from '../helpers/models.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { temporalCliPath, useTemporalServer } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const run = promisify(execFile);
const TOKEN = 'hf_tokenThatMustNeverBeSeen';
const SIGNED = 'X-Amz-Credential=cred0123&X-Amz-Signature=sig0123';

const server = useTemporalServer();
const faults = hubFaults();
let hub: DevHub;

beforeAll(async () => {
  hub = await startDevHub({
    repos: [smallRepo('org/private', { private: true }), smallRepo('org/gated', { gated: 'manual' })],
    tokens: { [TOKEN]: { name: 'someone', repos: ['org/private'] } },
    intercept: faults.intercept,
  });
});

afterAll(() => hub.close());

describeWithS3('a worker process with a token and S3 credentials', () => {
  let s3: S3Server;
  let worker: CliRun;
  let home: string;

  beforeAll(async () => {
    s3 = await startVersitygw();
  });

  afterAll(() => s3.stop());

  test(
    'tells neither of them, nor a signed URL, to any history, log, error or file',
    { timeout: 240_000 },
    async () => {
      home = await tmpFolder();
      const address = server().address;
      const env = {
        HOME: home,
        TEMPORAL_ADDRESS: address,
        HF_ENDPOINT: hub.url,
        HF_TOKEN: TOKEN,
        MODEL_PREFETCH_STORE: `s3://${s3.bucket}/models`,
        MODEL_PREFETCH_TASK_QUEUE: 'secrets',
        ...s3.env,
      };
      worker = await startWorkerProcess(env);
      // Faults on the way, so that error texts are made and kept: of the CDN, of the Hub, of a cut body.
      faults.inject(expiredUrl(), { origin: 'cdn', first: 1 });
      faults.inject(truncated(100_000), { origin: 'cdn', after: 1, first: 2 });
      faults.inject(wrongContentRange(`bytes 0-1/2;${SIGNED}`), { origin: 'cdn', after: 3, first: 1 });
      faults.inject(serverError(503), { origin: 'hub', path: 'tree', first: 1 });
      // And a Hub that repeats the token in all that it says, at a length that a server of Temporal would not keep.
      faults.inject(echoing(503), { origin: 'hub', path: 'org/private', first: 1 });
      faults.inject(echoing(403, 'GatedRepo'), { origin: 'hub', path: 'org/gated', first: 100 });
      const ok = startCli(['hf-model', 'org/private', '--wait', '--output', 'json'], env);
      const done = await ok.ended;
      expect(done.code, done.stderr).toBe(0);
      const refused = await startCli(['hf-model', 'org/gated', '--wait'], env).ended;
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('GatedRepo: ');
      // The database of an embedded server has what a history has.
      const own = { ...env, TEMPORAL_ADDRESS: undefined, MODEL_PREFETCH_HOME: join(home, 'embedded') };
      const embedded = await startCli(['hf-model', 'org/gated', '--verbose'], own).ended;
      expect(embedded.stderr).toContain('GatedRepo: ');
      // A store that refuses the bytes: the message must say which, and nothing more.
      const forbidden = {
        ...env,
        AWS_SECRET_ACCESS_KEY: 'wrong-secret-that-must-never-be-seen',
        MODEL_PREFETCH_TASK_QUEUE: 'wrong',
        // It would not start, and the run is to meet the store.
        MODEL_PREFETCH_WORKER_CHECKS: 'off',
      };
      const wrongWorker = await startWorkerProcess(forbidden);
      const denied = await startCli(['hf-model', 'org/private', '--wait'], forbidden).ended;
      expect(denied.stderr).toContain('StoreAccessDenied: ');
      const outputs = await Promise.all([stop(worker), stop(wrongWorker)]);

      const secrets = [...shownForms([TOKEN]), s3.secretKey, 'wrong-secret', 'Signature=', 'Credential=', 'sig0123'];
      const kept = await histories(address);
      expect(kept.join('\n')).toMatch(/HubUnavailable: .*503, /);
      expect(kept.join('\n')).not.toContain('exceeds size limit');
      const files = await filesUnder(home);
      expect(files.filter((content) => content.includes('GatedRepo: '))).not.toEqual([]);
      const texts = [
        ...kept,
        ...files,
        ...[...outputs, done, refused, embedded, denied].flatMap(({ stdout, stderr }) => [stdout, stderr]),
      ];
      expect(texts.length).toBeGreaterThan(8);
      expect(secrets.filter((secret) => texts.some((text) => text.includes(secret)))).toEqual([]);
    }
  );
});

/** An answer that repeats the token, in each form in another field, and then some. */
function echoing(status: number, code?: string): NamedFault {
  const echoes = echoesOf({ secret: TOKEN, authorization: `Bearer ${TOKEN}`, url: `/x?${SIGNED}` });
  const short = echoes.filter((echo) => echo.length < 300).join(' ');
  return {
    answer: {
      status,
      headers: {
        'X-Error-Code': code ?? short,
        'X-Error-Message': `${short} ${'x'.repeat(9_000)}`,
        'X-Request-Id': short,
      },
      body: JSON.stringify({ error: short }),
    },
  };
}

async function stop(cli: CliRun) {
  cli.child.kill('SIGTERM');
  await until(() => cli.child.exitCode !== null, 'the worker to stop', 60_000);
  return cli.ended;
}

/** Full histories of all workflows on the server, decoded, heartbeats and failures included. */
async function histories(address: string): Promise<string[]> {
  const temporal = await temporalCliPath();
  const { client } = server();
  const texts: string[] = [];
  for await (const { workflowId, runId } of client.workflow.list()) {
    const { stdout } = await run(
      temporal,
      ['workflow', 'show', '--address', address, '-w', workflowId, '-r', runId, '--output', 'json'],
      { maxBuffer: 64 * 1024 * 1024 }
    );
    const described = await client.workflow.getHandle(workflowId, runId).describe();
    texts.push(stdout, JSON.stringify(described.raw), decodePayloads(stdout));
  }
  return texts;
}

/** Payloads in a history are base64: what is in them must be looked at too. */
function decodePayloads(json: string): string {
  return [...json.matchAll(/"data":\s*"([A-Za-z0-9+/=]+)"/g)]
    .map(([, data = '']) => Buffer.from(data, 'base64').toString('utf8'))
    .join('\n');
}

async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return Promise.all(
    entries.filter((entry) => entry.isFile()).map((entry) => readFile(join(entry.parentPath, entry.name), 'latin1'))
  );
}
