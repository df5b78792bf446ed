import { expect, test } from 'vitest';
import { createKeyTurns } from '../../src/transfer/key-turns.js';
import { bytesOf, live, partSize, setUpTransfers } from '../helpers/transfer-setup.js';

test('gives the turn of an object to one at a time, and that of another object at once', async () => {
  const turns = createKeyTurns();
  const order: string[] = [];
  const first = await turns.take('s3://b/x', live());
  const second = turns.take('s3://b/x', live()).then((giveBack) => {
    order.push('second');
    giveBack();
  });
  (await turns.take('s3://b/y', live()))();
  order.push('first ends');
  first();
  await second;
  expect(order).toEqual(['first ends', 'second']);
});

test('lets one that gives up its wait leave the others in line', async () => {
  const turns = createKeyTurns();
  const giveBack = await turns.take('x', live());
  const controller = new AbortController();
  const leaving = turns.take('x', { signal: controller.signal });
  const staying = turns.take('x', live());
  controller.abort(new Error('gone'));
  await expect(leaving).rejects.toThrow('gone');
  giveBack();
  (await staying)();
  (await turns.take('x', live()))();
});

test('brings a large file once, however many ask for it at the same time', async () => {
  const setup = setUpTransfers();
  const bytes = bytesOf(5 * partSize);
  const request = await setup.request(bytes);
  const engine = setup.engine();
  const results = await Promise.all([1, 2, 3].map(() => engine.transferFile(request, live())));
  expect(results.map(({ how }) => how).sort()).toEqual(['fetched', 'found', 'found']);
  expect(request.source.starts).toHaveLength(5);
  await setup.end();
});
