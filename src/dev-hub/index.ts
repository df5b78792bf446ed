export { startDevHub } from './start-dev-hub.js';
export type {
  DevAccess,
  DevAccount,
  DevCommit,
  DevFile,
  DevHub,
  DevHubOptions,
  DevRateLimit,
  DevRepo,
  RequestRecord,
} from './options.js';
export type { BodyChunks, BodyContext, Fault, Intercept, InterceptedRequest } from './fault.js';
