export { startDevHub } from './start-dev-hub.js';
export type { DevCommit, DevFile, DevHub, DevHubOptions, DevRepo } from './options.js';
export type { BodyChunks, Fault, Intercept, InterceptedRequest } from './fault.js';
