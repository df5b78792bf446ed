export { headerByteLength } from './header-length.js';
export { parseAsReference, parseHeader, type SafetensorsHeader } from './parse-header.js';
export { layoutFile, type FileLayout } from './layout-file.js';
export { parseIndex, type SafetensorsIndex } from './parse-index.js';
export {
  DTYPES,
  dtypeBits,
  isDtype,
  tensorByteLength,
  type Dtype,
  type TensorEntry,
  type TensorSpec,
} from './tensor.js';
export type { SafetensorsRule } from './invalid.js';
