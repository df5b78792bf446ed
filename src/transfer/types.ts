export type { RangeSource } from '../hub/range-source.js';
