import type { ByteRange } from '../../core/byte-source.js';
import { PrefetchError } from '../../core/errors.js';
import { requireAt } from '../../core/require-at.js';
import type { SafetensorsHeader, TensorSpec } from '../../safetensors/index.js';
import type { StateDict } from './state-dict.js';
import { SOURCE_DTYPES } from './target-dtype.js';
import { shorten, someOf, unsupported } from './unsupported.js';

/** A weights file of the checkpoint: what its header says. */
export interface WeightsFile {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly header: SafetensorsHeader;
}

/** A tensor of the checkpoint, and where its bytes lie in its file. */
export interface SourceTensor extends TensorSpec, ByteRange {
  /** Position in the list of files. */
  readonly file: number;
}

/** All tensors of a checkpoint by name; a name that two files hold is refused. */
export function collectSources(files: readonly WeightsFile[]): Map<string, SourceTensor> {
  const sources = new Map<string, SourceTensor>();
  files.forEach(({ path, header }, file) => {
    for (const { name, dtype, shape, begin, end } of header.tensors) {
      const other = sources.get(name);
      if (other !== undefined) {
        throw new PrefetchError(
          'InvalidSafetensors',
          `${requireAt(files, other.file).path} and ${path} both hold a tensor ${shorten(name)}`,
          { details: { reason: 'duplicate-tensor' } }
        );
      }
      const base = header.headerByteLength;
      sources.set(name, { name, dtype, shape, file, start: base + begin, end: base + end });
    }
  });
  return sources;
}

/** Tensors that older checkpoints hold and vLLM computes by itself. */
export function isIgnoredByVllm(name: string): boolean {
  return /\brotary_emb\.(?:inv_freq|cos_cached|sin_cached)$/.test(name);
}

/** Compares the checkpoint with what the state dict needs; `UnsupportedSharding` names every difference. */
export function checkSources(
  { sources: needed }: StateDict,
  held: ReadonlyMap<string, SourceTensor>,
  alsoAllowed: ReadonlySet<string>
): void {
  const missing = [...needed.keys()].filter((name) => !held.has(name));
  if (missing.length > 0) {
    const text = `The checkpoint lacks ${missing.length} tensors that config.json promises: ${someOf(missing)}`;
    throw unsupported('missing-tensors', text, { tensors: missing.slice(0, 50) });
  }
  const extra = [...held.keys()].filter(
    (name) => !needed.has(name) && !alsoAllowed.has(name) && !isIgnoredByVllm(name)
  );
  if (extra.length > 0) {
    const text = `The checkpoint holds ${extra.length} tensors that config.json does not explain: ${someOf(extra)}`;
    throw unsupported('extra-tensors', text, { tensors: extra.slice(0, 50).map(shorten) });
  }
  for (const [name, shape] of needed) checkTensor(name, shape, held.get(name));
}

function checkTensor(name: string, expected: readonly number[], held: SourceTensor | undefined): void {
  if (held === undefined) return;
  if (held.shape.length !== expected.length || held.shape.some((dimension, axis) => dimension !== expected[axis])) {
    throw unsupported(
      'tensor-shape',
      `Tensor ${name} has the shape ${shapeText(held.shape)}; by config.json it is ${shapeText(expected)}`,
      { tensor: name }
    );
  }
  if (SOURCE_DTYPES.includes(held.dtype)) return;
  throw unsupported('dtype', `Tensor ${name} is ${held.dtype}; the native engine takes ${SOURCE_DTYPES.join(', ')}`, {
    tensor: name,
    dtype: held.dtype,
  });
}

function shapeText(shape: readonly number[]): string {
  const rest = shape.length - MOST_DIMENSIONS;
  return `[${shape.slice(0, MOST_DIMENSIONS).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}]`;
}

/** More than any weight has. */
const MOST_DIMENSIONS = 8;
