/** Where the checkpoints lie in every store, and in the scratch folder. */
export const SOURCE = 'source/';
export const WARM_UP = 'warm-up/';
