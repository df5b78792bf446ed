import { describe, expect, test } from 'vitest';
import { checkGpuIsServed } from '../../src/worker/roles.js';

describe('GPUs of a worker', () => {
  test.each([[undefined], [['main', 'shard'] as const]])('are refused with roles %j, which serve none', (roles) => {
    expect(() => {
      checkGpuIsServed(roles, 'A100:4');
    }).toThrow('InvalidInput: roles: expected gpu among them, for GPUs are given (A100:4)');
  });

  test('go with the role gpu, which does without them too', () => {
    checkGpuIsServed(['gpu'], 'A100:4');
    checkGpuIsServed(['main', 'gpu'], undefined);
    checkGpuIsServed(undefined, undefined);
  });
});
