/**
 * The vLLM releases whose shard layouts were measured, newest first. A new one is entered here, and the tests of this file
 * name every other one that has to follow: images, documents, measurements.
 */
export const VERIFIED_VLLM = [
  '0.32.0',
  '0.31.0',
  '0.30.0',
  '0.29.0',
  '0.28.0',
  '0.27.1',
  '0.27.0',
  '0.26.0',
  '0.25.1',
  '0.25.0',
  '0.24.0',
  '0.23.0',
  '0.22.1',
  '0.22.0',
  '0.21.0',
  '0.20.2',
  '0.20.1',
  '0.20.0',
  '0.19.1',
  '0.19.0',
  '0.18.1',
  '0.18.0',
  '0.17.1',
  '0.17.0',
  '0.16.0',
  '0.15.1',
  '0.15.0',
  '0.14.1',
  '0.14.0',
  '0.13.0',
] as const;

/** What shards are made for where nobody says it. */
export const [NEWEST_VERIFIED_VLLM] = VERIFIED_VLLM;
