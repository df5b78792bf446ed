import { oneLine } from '../../core/control-characters.js';
import { isPrefetchError, PrefetchError, rewrap, type ErrorDetails } from '../../core/errors.js';

/** Why the native engine leaves a model alone: `details.reason` of an `UnsupportedSharding` error. These words never change. */
export type UnsupportedReason =
  | 'config'
  | 'architecture'
  | 'quantization'
  | 'vllm-version'
  | 'dtype'
  | 'tensor-parallel-size'
  | 'parallelism'
  | 'weights-format'
  | 'header'
  | 'header-too-large'
  | 'duplicate-tensor'
  | 'missing-tensors'
  | 'extra-tensors'
  | 'tensor-shape'
  | 'tied-embeddings'
  | 'store';

/** The native engine's refusal, without a way out; nothing is ever guessed. */
export function unsupported(reason: UnsupportedReason, text: string, details: ErrorDetails = {}): PrefetchError {
  return new PrefetchError('UnsupportedSharding', oneLine(text), { details: { reason, ...details } });
}

/** Throws a failure on; a refusal of the native engine tells the way out, where no other engine will be tried. */
export function withWayOut(error: unknown): never {
  if (!isPrefetchError(error, 'UnsupportedSharding')) throw error;
  throw rewrap(error, {
    text:
      `${error.text}. The native engine shards verified cases only; ` +
      'engine vllm (or auto, which falls back to it) can take others',
  });
}

/** A few names out of many, for a message. */
export function someOf(names: readonly string[], most = 5): string {
  const rest = names.length - most;
  return names.slice(0, most).map(shorten).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

/** Text from a file as it may stand in a message, which history keeps: whoever made the file chose its length. */
export function shorten(text: string): string {
  return text.length <= MOST_QUOTED ? text : `${text.slice(0, MOST_QUOTED)}…`;
}

const MOST_QUOTED = 200;
