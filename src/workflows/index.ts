export { prefetchModel } from './prefetch-model.js';
