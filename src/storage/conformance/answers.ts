import assert from 'node:assert/strict';

import { isPrefetchError, PrefetchError, type ErrorCode } from '../../core/errors.js';
import { putBytes } from '../../http/put-bytes.js';
import type { ConformanceCheck } from '../conformance.js';
import type { HttpAnswer, ObjectStore, PartDescription } from '../object-store.js';
import { assertBytes, assertFails, bytes, pattern } from './expectations.js';

/** What no message may show: it stands in signed URLs, and stores repeat those in their answers. */
const secret = 'X-Amz-Signature=0123456789abcdef0123456789abcdef';

/** What the engine is handed back, as another thread may have got it. */
function answerOf(status: number, headers: HttpAnswer['headers'] = {}): HttpAnswer {
  const text = `<Error><Message>no, for ?${secret}</Message></Error>`;
  return structuredClone({ origin: 'http://127.0.0.1:9', status, headers, text });
}

const refusals: readonly (readonly [status: number, code: ErrorCode, permanent: boolean])[] = [
  [401, 'StoreAccessDenied', true],
  [403, 'StoreAccessDenied', true],
  [500, 'StoreUnavailable', false],
  [503, 'StoreUnavailable', false],
];

/** Answers to bytes: the store alone says what they mean. */
export function checkAnswers(check: ConformanceCheck): void {
  /** Stores in which bytes are files have no answers. */
  const checkHttp: ConformanceCheck = (title, run) => {
    check(title, async (given) => {
      await given.store.put('there', bytes('x'));
      if ((await given.store.readTarget('there')).kind === 'http') await run(given);
    });
  };

  checkHttp('says what a refused read means', async ({ store }) => {
    for (const [status, code, permanent] of refusals) {
      assertRefusal(await store.readFailure(answerOf(status), 'there'), { code, permanent, key: 'there' });
    }
    assertRefusal(await store.readFailure(answerOf(404), 'there'), {
      code: 'ObjectNotFound',
      permanent: false,
      key: 'there',
    });
  });

  checkHttp('says what a refused part means', async ({ store }) => {
    if (!(await store.capabilities()).multipart) return;
    const size = (await store.capabilities()).minPartSize;
    const upload = await store.createUpload('part', { size, partSize: size });
    const part: PartDescription = { partNumber: 1, position: 0, size };
    for (const [status, code, permanent] of refusals) {
      const refused = store.confirmPart(upload, part, answerOf(status));
      assertRefusal(await failureOf(refused), { code, permanent, key: 'part' });
    }
    await store.abortUpload(upload);
  });

  checkHttp('passes on how long it asks to wait', async ({ store }) => {
    const failure = await store.readFailure(answerOf(503, { 'retry-after': '7' }), 'there');
    assert.equal(isPrefetchError(failure) ? failure.retryAfterMs : undefined, 7000);
  });

  check('tells a read that broke off as its own failure, and leaves others as they are', async ({ store }) => {
    const stalled = await store.readFailure(new PrefetchError('SourceStalled', 'nothing came'), 'key');
    const isFile = await isOfFiles(store);
    if (!isFile) assert.ok(isPrefetchError(stalled, 'StoreUnavailable'), String(stalled));
    const other = new Error('no matter of a store');
    assert.equal(await store.readFailure(other, 'key'), other);
  });

  check('writes a whole object with one request, where it can', async ({ store }) => {
    const body = pattern(100_000);
    const object = { size: body.byteLength };
    const target = await store.objectTarget('whole', object).catch((error: unknown) => {
      if (!isPrefetchError(error, 'StreamingUnsupported')) throw error;
    });
    if (target === undefined) return;
    const info = await store.confirmObject('whole', object, await putBytes({ target, body }));
    assert.deepEqual(await store.head('whole'), info);
    assertBytes(await store.get('whole'), body);
    for (const [status, code, permanent] of refusals) {
      const refused = store.confirmObject('whole', object, answerOf(status));
      assertRefusal(await failureOf(refused), { code, permanent, key: 'whole' });
    }
  });

  check('has nothing to read where nothing is', async ({ store }) => {
    if (await isOfFiles(store)) await assertFails(() => store.readTarget('missing'), 'ObjectNotFound');
  });
}

async function isOfFiles(store: ObjectStore): Promise<boolean> {
  await store.put('probe', bytes('x'));
  const { kind } = await store.readTarget('probe');
  await store.delete('probe');
  return kind === 'file';
}

async function failureOf(action: Promise<unknown>): Promise<unknown> {
  return action.then(
    () => undefined,
    (error: unknown) => error
  );
}

function assertRefusal(
  error: unknown,
  expected: { readonly code: ErrorCode; readonly permanent: boolean; readonly key: string }
): void {
  assert.ok(isPrefetchError(error), `expected ${expected.code}, got ${String(error)}`);
  assert.equal(error.code, expected.code);
  assert.equal(error.permanent, expected.permanent);
  assert.ok(error.message.includes(expected.key), `${error.message} does not name ${expected.key}`);
  assert.ok(!error.message.includes(secret), 'a message shows a signed query');
}
