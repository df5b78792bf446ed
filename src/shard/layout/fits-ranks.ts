import type { AttentionShape, FeedForwardShape, ModelShape } from './model-shape.js';
import { unsupported } from './unsupported.js';

/** vLLM pads the vocabulary to a multiple of this before it is split. */
const VOCABULARY_PADDING = 64;

/** Rows of the embedding after padding. */
export function paddedVocabulary({ vocabulary }: Pick<ModelShape, 'vocabulary'>): number {
  return Math.ceil(vocabulary / VOCABULARY_PADDING) * VOCABULARY_PADDING;
}

/** Refuses a number of ranks that vLLM would refuse, or round: `UnsupportedSharding` names what does not divide. */
export function checkFitsRanks(shape: ModelShape, ranks: number): void {
  checkAttention(shape.attention, ranks);
  mustDivide(ranks, paddedVocabulary(shape), `rows of the vocabulary, padded to a multiple of ${VOCABULARY_PADDING}`);
  const seen = new Set<FeedForwardShape>();
  for (let layer = 0; layer < shape.layers; layer++) {
    const feedForward = shape.feedForward(layer);
    if (!seen.has(feedForward)) checkFeedForward(feedForward, ranks);
    seen.add(feedForward);
  }
}

function checkAttention(attention: AttentionShape, ranks: number): void {
  switch (attention.kind) {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- there is one kind so far
    case 'grouped-query': {
      const { heads, keyValueHeads } = attention;
      mustDivide(ranks, heads, 'attention heads (num_attention_heads)');
      if (keyValueHeads % ranks === 0 || ranks % keyValueHeads === 0) return;
      throw doesNotFit(ranks, `neither divides the ${keyValueHeads} key/value heads nor is a multiple of them`);
    }
  }
}

function checkFeedForward(feedForward: FeedForwardShape, ranks: number): void {
  if (feedForward.kind === 'dense') {
    mustDivide(ranks, feedForward.intermediate, 'rows of the feed-forward layer (intermediate_size)');
    return;
  }
  const { experts, intermediate, shared, rules } = feedForward;
  mustDivide(ranks, intermediate, `rows of an expert (${rules.intermediate})`);
  if (shared !== undefined) mustDivide(ranks, shared.intermediate, `rows of the shared expert (${shared.field})`);
  if (ranks > experts) throw doesNotFit(ranks, `is more than the ${experts} experts, which vLLM refuses`);
}

function mustDivide(ranks: number, whole: number, what: string): void {
  if (whole % ranks !== 0) throw doesNotFit(ranks, `does not divide the ${whole} ${what}`);
}

function doesNotFit(ranks: number, why: string): Error {
  return unsupported('tensor-parallel-size', `tensorParallelSize ${ranks} ${why}`, { tensorParallelSize: ranks });
}
