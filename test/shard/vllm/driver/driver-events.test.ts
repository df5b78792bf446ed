import { describe, expect, test } from 'vitest';
import { parseDriverEvent } from '../../../../src/shard/vllm/driver/driver-events.js';

const ready = { event: 'ready', vllm: '0.32.0', torch: '2.13.0', device: 'cpu', gpus: 0 };
const progress = { event: 'progress', phase: 'load', rank: 1, ranks: 2, bytes: 10 };
const done = { event: 'done', vllm: '0.32.0', device: 'gpu', dtype: 'bfloat16', untied_by_checkpoint: true };

test.each([
  [{ event: 'started' }, { event: 'started' }],
  [ready, ready],
  [progress, progress],
  [done, { event: 'done', vllm: '0.32.0', device: 'gpu', dtype: 'bfloat16', untiedByCheckpoint: true }],
  [
    { event: 'error', kind: 'version', message: 'x', more: 1 },
    { event: 'error', kind: 'version', message: 'x' },
  ],
])('%j is an event', (value, event) => {
  expect(parseDriverEvent(JSON.stringify(value))).toEqual(event);
});

describe('anything else is none:', () => {
  test.each([
    '',
    'Loading weights',
    '{"event":"ready"',
    '[]',
    'null',
    '"done"',
    '{}',
    '{"event":"unheard of"}',
    JSON.stringify({ ...ready, device: 'tpu' }),
    JSON.stringify({ ...ready, gpus: -1 }),
    JSON.stringify({ ...progress, phase: 'sleep' }),
    JSON.stringify({ ...progress, bytes: 1.5 }),
    JSON.stringify({ ...progress, rank: '1' }),
    JSON.stringify({ ...done, untied_by_checkpoint: 'no' }),
    JSON.stringify({ ...done, dtype: undefined }),
    '{"event":"error","kind":"x"}',
  ])('%s', (line) => {
    expect(parseDriverEvent(line)).toBeUndefined();
  });
});
