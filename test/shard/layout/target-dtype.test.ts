import { describe, expect, test } from 'vitest';
import { ARCHITECTURES } from '../../../src/shard/layout/architectures.js';
import { resolveDtype, storedDtype } from '../../../src/shard/layout/target-dtype.js';
import type { Dtype } from '../../../src/safetensors/index.js';
import { refusal } from '../../helpers/refusal.js';

/** What a request comes to for a config's data type and the stored ones. */
function resolve(requested: string, named?: string, stored: readonly Dtype[] = ['BF16'], name = 'LlamaForCausalLM') {
  const rules = ARCHITECTURES[name];
  if (rules === undefined) throw new Error(name);
  return resolveDtype(
    requested,
    { architecture: name, rules, dtype: named },
    stored.map((dtype) => ({ dtype }))
  );
}

test('the names in vLLM and in the format', () => {
  expect([storedDtype('bfloat16'), storedDtype('float16')]).toEqual(['BF16', 'F16']);
});

describe('auto', () => {
  test.each([
    ['bfloat16', 'bfloat16'],
    ['torch.bfloat16', 'bfloat16'],
    ['float16', 'float16'],
    ['torch.float16', 'float16'],
    ['half', 'float16'],
    ['float32', 'bfloat16'],
    ['torch.float32', 'bfloat16'],
    ['float', 'bfloat16'],
  ])('takes %s of the config as %s, whatever is stored', (named, expected) => {
    for (const stored of [[], ['BF16'], ['F16'], ['F32']] as const) {
      expect(resolve('auto', named, stored)).toBe(expected);
    }
  });

  test.each([
    [['BF16'], 'bfloat16'],
    [['F16'], 'float16'],
    [['F16', 'F16'], 'float16'],
    [['F32'], 'bfloat16'],
    [['F16', 'BF16'], 'bfloat16'],
    [['F16', 'F32'], 'bfloat16'],
    [[], 'bfloat16'],
  ] as const)('takes %j of the files, where the config says nothing, as %s', (stored, expected) => {
    expect(resolve('auto', undefined, stored)).toBe(expected);
  });

  test.each(['float64', 'float8_e4m3fn', 'int8', 'torch.uint8', 'F16', 'BF16', '', 'auto', 'constructor', '__proto__'])(
    'refuses a config that says %j',
    (named) => {
      expect(refusal(() => resolve('auto', named))).toMatchObject({
        code: 'UnsupportedSharding',
        reason: 'dtype',
        details: { dtype: named.replace('torch.', '') },
      });
    }
  );

  test('cuts a config that says too much', () => {
    expect(refusal(() => resolve('auto', 'x'.repeat(10_000))).message.length).toBeLessThan(400);
  });
});

describe('what is asked for', () => {
  test.each([
    ['bfloat16', 'bfloat16'],
    ['float16', 'float16'],
    ['half', 'float16'],
  ])('%s is %s, whatever the config and the files say', (requested, expected) => {
    for (const named of [undefined, 'float32', 'bfloat16', 'float16', 'nonsense']) {
      expect(resolve(requested, named, ['F32'])).toBe(expected);
    }
  });

  test.each(['float32', 'float', 'torch.bfloat16', 'BF16', 'fp16', '', 'toString', '__proto__'])(
    'is refused when it is none of these: %j',
    (requested) => {
      expect(refusal(() => resolve(requested)).reason).toBe('dtype');
    }
  );

  test('is cut in the message where it is long', () => {
    expect(refusal(() => resolve('x'.repeat(10_000))).message.length).toBeLessThan(400);
  });
});

describe.each(['Gemma2ForCausalLM', 'Gemma3ForCausalLM'])('%s overflows float16', (name) => {
  test('so it is refused when it is asked for', () => {
    for (const requested of ['float16', 'half']) {
      expect(refusal(() => resolve(requested, 'bfloat16', ['BF16'], name))).toMatchObject({
        reason: 'dtype',
        message: expect.stringContaining(name) as string,
      });
    }
  });

  test('so auto takes bfloat16 instead, as vLLM does', () => {
    expect(resolve('auto', 'float16', ['F16'], name)).toBe('bfloat16');
    expect(resolve('auto', undefined, ['F16'], name)).toBe('bfloat16');
    expect(resolve('bfloat16', 'float16', ['F16'], name)).toBe('bfloat16');
  });
});

test('any other architecture takes float16', () => {
  const others = Object.keys(ARCHITECTURES).filter((name) => !/Gemma[23]/.test(name));
  for (const name of others) expect(resolve('float16', undefined, ['BF16'], name)).toBe('float16');
  expect(others).toHaveLength(9);
});
