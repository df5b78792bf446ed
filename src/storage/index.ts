export { brokenRead } from './broken-read.js';
export { openStore, type StoreOptions } from './open-store.js';
export { checkKey, checkPrefix } from './store-key.js';
export { formatStoreUrl, objectUrl, parseStoreUrl, type StoreUrl } from './store-url.js';
export type * from './object-store.js';
export type { S3Options } from './s3/s3-options.js';
