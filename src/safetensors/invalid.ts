import { PrefetchError } from '../core/errors.js';

/** Which rule of the format is broken: `details.reason` of an `InvalidSafetensors` error. These words never change. */
export type SafetensorsRule =
  | 'file-size'
  | 'lfs-pointer'
  | 'header-too-large'
  | 'header-too-small'
  | 'header-beyond-file'
  | 'header-incomplete'
  | 'header-start'
  | 'header-utf8'
  | 'json'
  | 'duplicate-key'
  | 'metadata'
  | 'tensor-name'
  | 'tensor-fields'
  | 'dtype'
  | 'shape'
  | 'shape-overflow'
  | 'data-offsets'
  | 'partial-byte'
  | 'size-mismatch'
  | 'hole'
  | 'overlap'
  | 'truncated'
  | 'trailing-bytes'
  | 'index';

/** The error of this room, naming the rule that is broken. */
export function invalid(rule: SafetensorsRule, text: string): PrefetchError {
  return new PrefetchError('InvalidSafetensors', text, { details: { reason: rule } });
}

const MAX_QUOTED = 100;

/** Text from a file as it may stand in a message: escaped and cut, for whoever made the file chose it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length <= MAX_QUOTED ? text : `${text.slice(0, MAX_QUOTED)}…`);
}
