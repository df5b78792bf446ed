export { prefetchModel } from './prefetch-model.js';
export { refreshModel } from './refresh-model.js';
