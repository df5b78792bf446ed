import { NEWEST_VERIFIED_VLLM } from '../../../src/core/vllm-releases.js';
import { layoutFile, parseHeader, type Dtype, type TensorSpec } from '../../../src/safetensors/index.js';
import { readModelShape } from '../../../src/shard/layout/model-shape.js';
import { findProfile } from '../../../src/shard/layout/profiles.js';
import type { WeightsFile } from '../../../src/shard/layout/source-tensors.js';
import { buildStateDict } from '../../../src/shard/layout/state-dict.js';

/** A weights file with these tensors, as far as its header. */
export function weightsFile(path: string, tensors: readonly TensorSpec[]): WeightsFile {
  const { headerBytes, dataByteLength } = layoutFile(tensors);
  const size = headerBytes.length + dataByteLength;
  return { path, size, header: parseHeader(headerBytes, size) };
}

/** The tensors that a config promises. */
export function tensorsOf(config: unknown, dtype: Dtype = 'BF16'): TensorSpec[] {
  const shape = readModelShape(config);
  const profile = findProfile(shape.architecture, NEWEST_VERIFIED_VLLM);
  const { sources } = buildStateDict({ shape, profile, ranks: 1, dtype: 'BF16', ownHead: !shape.tied });
  return [...sources].map(([name, dimensions]) => ({ name, dtype, shape: dimensions }));
}
