export { ModelPrefetchPlugin, type ModelPrefetchPluginOptions } from './plugin.js';
export { PrefetchError, type ErrorCode, type ErrorDetails, type PrefetchErrorOptions } from './core/errors.js';
export type {
  Dir,
  Manifest,
  ManifestFile,
  ModelMetadata,
  PrefetchInput,
  PrefetchProgress,
  Resources,
  ShardConfig,
} from './core/contract.js';
