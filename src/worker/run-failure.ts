import { isPrefetchError } from '../core/errors.js';
import { connectFailure } from './connect-failure.js';

/**
 * Why workers of the SDK could not be made, or ended by themselves: where Temporal said so, in a line of ours instead of a dump
 * of a status of gRPC.
 */
export function runFailure(error: unknown): unknown {
  if (isPrefetchError(error) || !(error instanceof Error)) return error;
  return /\bcode: '?\w+/.test(error.message) ? connectFailure(error, { address: 'its address' }) : error;
}
