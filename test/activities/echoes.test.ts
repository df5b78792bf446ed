import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { toFailure } from '../../src/starter/to-failure.js';
import { describeFailure } from '../../src/cli/failure-text.js';
import type { HttpAnswer } from '../../src/core/http-answer.js';
import { noteSecret } from '../../src/core/secrets.js';
import { closeIdleSockets } from '../../src/http/agents.js';
import { getRange } from '../../src/http/get-range.js';
import { putBytes } from '../../src/http/put-bytes.js';
import { streamRange } from '../../src/http/stream-range.js';
import type { Hub } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { confirmPart, readFailure } from '../../src/storage/s3/s3-answers.js';
import { sendComplete } from '../../src/storage/s3/s3-complete.js';
import { copyObject } from '../../src/storage/s3/s3-copy.js';
import {
  deleteObject,
  getObject,
  headObject,
  listObjectFolders,
  listObjects,
} from '../../src/storage/s3/s3-objects.js';
import { putObject } from '../../src/storage/s3/s3-put.js';
import { openSession, type S3Session } from '../../src/storage/s3/s3-session.js';
import { abortUpload, createUpload, findUploads, listParts, signPart } from '../../src/storage/s3/s3-uploads.js';
import { startServer, type LocalServer } from '../helpers/local-server.js';
import { echoesOf, shownForms } from '../helpers/echoed-forms.js';

const COMMIT = 'c'.repeat(40);
const TOKEN = 'hf_Echoed/Token+That=MustNever.BeSeen';
const SESSION = 'FwoGZXIvYXdzE/Session+Token/ThatMustNeverBeSeen==';
const SECRET_KEY = 'secret/that+must=never.be.seen';
const SIGNED = 'X-Amz-Credential=AKIASIGNED&X-Amz-Signature=0123abcdef0123abcdef&Policy=pol0123&Key-Pair-Id=KP0123';
const json = 'application/json; charset=utf-8';

/** A field of an answer that repeats what came with the request; every other one is as it should be. */
type Field = { readonly header: string } | { readonly body: (echo: string) => string };

const headers = [
  ...[
    'X-Request-Id',
    'X-Error-Code',
    'X-Error-Message',
    'X-Repo-Commit',
    'X-Amz-Cf-Id',
    'Content-Type',
    'Content-Encoding',
  ],
  ...['Content-Range', 'Location', 'Link', 'ETag', 'Retry-After', 'RateLimit', 'WWW-Authenticate', 'X-Linked-Etag'],
  ...[
    'X-Amz-Request-Id',
    'X-Amz-Bucket-Region',
    'X-Amz-Checksum-Crc32',
    'Last-Modified',
    'Date',
    'Server',
    'Content-Length',
  ],
];
const hubBodies: Record<string, (echo: string) => string> = {
  'the whole body': (echo) => echo,
  'a JSON error': (error) => JSON.stringify({ error }),
  'the fields of a repo': (echo) =>
    JSON.stringify({ sha: echo, private: echo, gated: echo, tags: [echo], name: echo, id: echo }),
  'the fields of an account': (echo) => JSON.stringify({ name: { echo }, auth: { type: echo } }),
  'the fields of a listing': (echo) => JSON.stringify([{ type: 'file', path: echo, size: echo, oid: echo }]),
  'the path of a listing': (path) => JSON.stringify([{ type: 'file', path, size: 3, oid: 'a'.repeat(40) }]),
  'the LFS fields of a listing': (oid) =>
    JSON.stringify([{ type: 'file', path: 'f', size: 3, oid, lfs: { oid, size: 3 } }]),
};
const s3Bodies: Record<string, (echo: string) => string> = {
  'the whole body': (echo) => echo,
  'an S3 error': (echo) => s3Error(echo, echo),
  'an S3 message': (echo) => s3Error('InternalError', echo),
  'an S3 list': (echo) =>
    `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>${xml(echo)}</Key><Size>${xml(echo)}</Size>` +
    `<ETag>${xml(echo)}</ETag><LastModified>${xml(echo)}</LastModified></Contents></ListBucketResult>`,
  'an S3 upload': (echo) =>
    `<InitiateMultipartUploadResult><UploadId>${xml(echo)}</UploadId></InitiateMultipartUploadResult>`,
  'an S3 completion': (echo) =>
    `<CompleteMultipartUploadResult><ETag>${xml(echo)}</ETag></CompleteMultipartUploadResult>`,
};

function fieldsOf(bodies: Record<string, (echo: string) => string>): [string, Field][] {
  return [
    ...headers.map((header): [string, Field] => [`the header ${header}`, { header }]),
    ...Object.entries(bodies).map(([name, body]): [string, Field] => [name, { body }]),
  ];
}

let server: LocalServer;
let session: S3Session;
let hub: Hub;
let field: Field;
let status = 200;
/** What the forms of the token stand in, one at a time: long headers of all of them would be refused as such. */
let formAt = 0;

beforeAll(async () => {
  // The SDK would try again and again what is refused here.
  vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
  server = await startServer(answer);
  hub = openHub({ endpoint: server.origin });
  const credentials = { accessKeyId: 'AKIATEST', secretAccessKey: SECRET_KEY, sessionToken: SESSION };
  session = await openSession({ bucket: 'b', prefix: '' }, { endpoint: server.origin, region: 'r', credentials });
});

afterAll(async () => {
  vi.unstubAllEnvs();
  session.connection.client.destroy();
  closeIdleSockets();
  await server.close();
});

beforeEach(() => {
  noteSecret(TOKEN);
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  formAt += 1;
  const secret = request.headers['x-amz-security-token'] === undefined ? TOKEN : SESSION;
  const echoes = echoesOf({ secret, authorization: request.headers.authorization ?? '', url: request.url ?? '' });
  const echo = echoes[formAt % echoes.length] ?? '';
  const good = { 'Content-Type': json, 'X-Repo-Commit': COMMIT, ETag: '"0123"' };
  const own = 'header' in field ? { [field.header]: asHeader(field.header, echo) } : {};
  const names = new Set(Object.keys(own).map((name) => name.toLowerCase()));
  const kept = Object.fromEntries(Object.entries(good).filter(([name]) => !names.has(name.toLowerCase())));
  response.strictContentLength = false;
  response.writeHead(status, { ...kept, ...own, Connection: 'close' });
  response.end(request.method === 'HEAD' ? undefined : 'body' in field ? field.body(echo) : '[]');
}

/** Where only a URL makes sense, the echo is in each part of one in turn. */
function asHeader(name: string, echo: string): string {
  const encoded = encodeURIComponent(echo);
  if (name === 'Link') return formAt % 2 === 0 ? `<http://h/${echo}>; rel="next"` : `<${encoded}://x>; rel="next"`;
  if (name !== 'Location') return echo;
  const places = [`http://127.0.0.1:1/${echo}`, `http://user:${encoded}@127.0.0.1:1/`, echo, `x-${encoded}:/x`];
  return places[formAt % places.length] ?? echo;
}

function s3Error(code: string, message: string): string {
  return `<?xml version="1.0"?><Error><Code>${xml(code)}</Code><Message>${xml(message)}</Message><RequestId>${xml(message)}</RequestId></Error>`;
}

function xml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}

type Call = () => Promise<unknown>;
const signal = AbortSignal.timeout(120_000);
const file = { repo: 'o/m', commit: COMMIT, path: 'f' };
const options = { token: TOKEN, signal };

const hubCalls: Record<string, Call> = {
  whoAmI: () => openHub({ endpoint: server.origin }).whoAmI(options),
  resolveRevision: () => hub.resolveRevision('o/m', 'main', options),
  checkAccess: () => hub.checkAccess('o/m', options),
  listFiles: () => drain(hub.listFiles('o/m', COMMIT, options)),
  locate: () => hub.locate(file, options).then(() => undefined),
  read: () => hub.read({ ...file, size: 3 }, options).then(() => undefined),
};

const range = { range: { start: 2, end: 4 }, totalSize: 9, signal, stallMs: 5_000 };
const target = () => ({ url: `${server.origin}/f?${SIGNED}`, headers: { authorization: `Bearer ${TOKEN}` } });
const cdnCalls: Record<string, Call> = {
  getRange: () => getRange({ ...range, target: target(), into: new Uint8Array(9) }),
  streamRange: () => streamRange({ ...range, target: target(), onChunk: () => undefined }),
};

const upload = { fullKey: 'k', id: 'u', checksum: false };
const judge = (answer: HttpAnswer) => readFailure(session.connection, answer, 'k');
const storeCalls: Record<string, Call> = {
  readInto: () => getRange({ ...range, target: target(), into: new Uint8Array(9), judge }),
  readOn: () => streamRange({ ...range, target: target(), onChunk: () => undefined, judge }),
  put: () => putObject(session, { fullKey: 'k', body: new Uint8Array(3), checksum: false }, { signal }),
  part: async () => {
    const signed = await signPart(session.sign, upload, { partNumber: 1, size: 3 });
    const sent = await putBytes({ target: signed, body: new Uint8Array(3), signal });
    await confirmPart(session.connection, { key: 'k', id: 'u' }, { partNumber: 1, position: 0, size: 3 }, sent);
  },
  create: () => createUpload(session.connection, upload, { signal }).then(() => undefined),
  listParts: () => listParts(session.connection, upload, { signal }),
  findUploads: () => findUploads(session.connection, 'k', { signal }),
  abort: () => abortUpload(session.connection, upload, { signal }),
  complete: () => sendComplete(session.connection, { ...upload, parts: [], size: 3 }, { signal }),
  get: () => getObject(session.connection, 'k', { signal }).then(() => undefined),
  head: () => headObject(session.connection, 'k', { signal }),
  list: () => drain(listObjects(session.connection, '', { signal })).then(() => undefined),
  folders: () => drain(listObjectFolders(session.connection, '', { signal })).then(() => undefined),
  copy: () => copyObject(session.connection, { from: 'k', to: 'l' }, { signal }),
  remove: () => deleteObject(session.connection, 'k', { signal }),
};

const FORMS = shownForms([TOKEN, SESSION, SECRET_KEY]);
const PARTS = /Signature=|Signature%|Credential=|0123abcdef|pol0123|KP0123/;

describe.each([
  ['the Hub', hubCalls, fieldsOf(hubBodies), [200, 401, 404, 500]],
  ['a CDN', cdnCalls, fieldsOf({ 'the whole body': (echo) => echo }), [200, 206, 302, 403, 416]],
  ['a store', storeCalls, fieldsOf(s3Bodies), [200, 403, 404]],
] as const)('%s', (_, calls, fields, statuses) => {
  test.each(fields)('may repeat all that it was sent in %s', async (_name, echoing) => {
    field = echoing;
    for (const each of statuses) {
      status = each;
      const told = await Promise.all(Object.values<Call>(calls).map(textsOf));
      for (const [at, name] of Object.keys(calls).entries()) {
        const texts = told[at] ?? [];
        const found = FORMS.filter((form) => texts.some((text) => text.includes(form)));
        expect(found, `${name}, status ${String(each)}: ${texts.join('\n')}`).toEqual([]);
        expect(texts.filter((text) => PARTS.test(text))).toEqual([]);
      }
    }
  });
});

/** All that a result or a failure tells anybody: history, terminal, terminal with --verbose. */
async function textsOf(call: Call): Promise<string[]> {
  try {
    return [JSON.stringify([await call()])];
  } catch (error) {
    const failure = toFailure(error);
    return [
      JSON.stringify([failure, failure.message, failure.stack]),
      describeFailure(error, { verbose: false }),
      describeFailure(error, { verbose: true }),
    ];
  }
}

async function drain<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
