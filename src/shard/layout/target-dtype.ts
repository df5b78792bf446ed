import type { Dtype } from '../../safetensors/index.js';
import type { ModelShape } from './model-shape.js';
import { unsupported } from './unsupported.js';

/** The data types that shards are written in, by their name in vLLM and in the format. */
const TARGETS = { bfloat16: 'BF16', float16: 'F16' } as const;

/** A data type of the weights, as vLLM names it. */
export type TargetDtype = keyof typeof TARGETS;

/** Its name in safetensors. */
export function storedDtype(dtype: TargetDtype): Dtype {
  return TARGETS[dtype];
}

const SPELLINGS: ReadonlyMap<string, TargetDtype> = new Map([
  ['bfloat16', 'bfloat16'],
  ['float16', 'float16'],
  ['half', 'float16'],
]);

/**
 * The data type that vLLM would give the weights: what is asked for, else what config.json says, else what the files
 * hold; float32 becomes bfloat16, as on every GPU since Ampere. It is never told from one tensor.
 */
export function resolveDtype(
  requested: string,
  shape: Pick<ModelShape, 'architecture' | 'rules' | 'dtype'>,
  sources: Iterable<{ readonly dtype: Dtype }>
): TargetDtype {
  const dtype = requested === 'auto' ? fromModel(shape, sources) : SPELLINGS.get(requested);
  if (dtype === undefined) {
    throw unsupported('dtype', `dtype ${requested.slice(0, 40)} is none of auto, bfloat16, float16`, {
      dtype: requested,
    });
  }
  if (dtype === 'float16' && shape.rules.noFloat16 === true) {
    // With auto vLLM takes the next best type of the device instead.
    if (requested === 'auto') return 'bfloat16';
    throw unsupported('dtype', `vLLM refuses float16 for ${shape.architecture}, whose activations overflow it`, {
      dtype,
    });
  }
  return dtype;
}

function fromModel(
  { dtype }: Pick<ModelShape, 'dtype'>,
  sources: Iterable<{ readonly dtype: Dtype }>
): TargetDtype | undefined {
  const named = dtype?.replace(/^torch\./, '');
  if (named !== undefined) return named === 'float32' || named === 'float' ? 'bfloat16' : unalias(named);
  const stored = new Set([...sources].map((tensor) => tensor.dtype));
  // Of several types vLLM takes the one that holds all of them, and that is float32.
  if (stored.size === 1 && stored.has('F16')) return 'float16';
  return 'bfloat16';
}

function unalias(named: string): TargetDtype {
  const dtype = SPELLINGS.get(named);
  if (dtype !== undefined) return dtype;
  throw unsupported(
    'dtype',
    `config.json has dtype ${named.slice(0, 40)}, which is none of bfloat16, float16, float32`,
    {
      dtype: named.slice(0, 40),
    }
  );
}

/** Data types of checkpoints that can be turned into a target. */
export const SOURCE_DTYPES: readonly Dtype[] = ['F32', 'F16', 'BF16'];
