import { paddedVocabulary } from './fits-ranks.js';
import type { ExpertsShape, GroupedQueryShape } from './model-shape.js';
import type { Piece, StateDictOptions, StateTensor } from './state-dict.js';

/** The routed experts of a layer. */
interface ExpertsSource {
  /** Of the experts' names, up to the number. */
  readonly prefix: string;
  readonly experts: number;
  readonly intermediate: number;
  readonly hidden: number;
  readonly rules: ExpertsShape['rules'];
}

/** Appends tensors by the rule that splits them, and notes what each of them needs of the checkpoint. */
export class StateDictBuilder {
  readonly tensors: StateTensor[] = [];
  readonly sources = new Map<string, readonly number[]>();
  readonly #options: StateDictOptions;

  constructor(options: StateDictOptions) {
    this.#options = options;
  }

  /** Rows of the vocabulary, which is padded before it is split. */
  embedding(name: string, source: string): void {
    const { shape, ranks } = this.#options;
    const count = paddedVocabulary(shape) / ranks;
    const piece = this.#rows(source, { of: [shape.vocabulary, shape.hidden], base: 0, count, replicas: 1 });
    this.#add(name, [count, shape.hidden], [piece]);
  }

  /** The whole source on every rank. */
  replicated(name: string, dimensions: readonly [number, ...number[]], source = name): void {
    const [count] = dimensions;
    const piece = this.#rows(source, { of: dimensions, base: 0, count, replicas: this.#options.ranks });
    this.#add(name, dimensions, [piece]);
  }

  /** A matrix of which each rank has some columns. */
  split(
    name: string,
    kind: 'columns',
    { rows, columns }: { readonly rows: number; readonly columns: number },
    source = name
  ): void {
    const count = columns / this.#options.ranks;
    this.sources.set(source, [rows, columns]);
    this.#add(name, [rows, count], [{ kind, source, rows, count, width: columns }]);
  }

  ones(name: string): void {
    this.tensors.push({ name, dtype: 'F32', shape: [], pieces: [{ kind: 'ones' }] });
  }

  /** Heads are split over the ranks; where there are fewer key/value heads than ranks, several ranks hold the same one. */
  queryKeyValue(
    prefix: string,
    { heads, keyValueHeads, headDim, rules }: GroupedQueryShape,
    { kind, width }: { readonly kind: 'weight' | 'bias'; readonly width: readonly number[] }
  ): void {
    const { ranks } = this.#options;
    const query = (heads / ranks) * headDim;
    const keyValue = Math.max(1, keyValueHeads / ranks) * headDim;
    const replicas = Math.max(1, ranks / keyValueHeads);
    const queryRows = heads * headDim;
    const keyValueRows = keyValueHeads * headDim;
    const name = `${prefix}qkv_proj.${kind}`;
    const fused = rules.source === 'fused';
    const of = (source: string, rows: number, base: number) =>
      fused
        ? { source: name, of: [queryRows + 2 * keyValueRows, ...width] as const, base }
        : { source: `${prefix}${source}.${kind}`, of: [rows, ...width] as const, base: 0 };
    const parts = [
      { ...of('q_proj', queryRows, 0), count: query, replicas: 1 },
      { ...of('k_proj', keyValueRows, queryRows), count: keyValue, replicas },
      { ...of('v_proj', keyValueRows, queryRows + keyValueRows), count: keyValue, replicas },
    ];
    const pieces = parts.map(({ source, ...rows }) => this.#rows(source, rows));
    this.#add(name, [query + 2 * keyValue, ...width], pieces);
  }

  /** The rank's rows of gate, then its rows of up. */
  gateAndUp(
    name: string,
    from: {
      readonly prefix: string;
      readonly kind: 'weight' | 'bias';
      readonly rows: number;
      readonly width: readonly number[];
      readonly source: 'split' | 'fused';
    }
  ): void {
    const { prefix, kind, rows, width, source } = from;
    const count = rows / this.#options.ranks;
    const pieces = ['gate_proj', 'up_proj'].map((half, index) =>
      source === 'fused'
        ? this.#rows(name, { of: [2 * rows, ...width], base: index * rows, count, replicas: 1 })
        : this.#rows(`${prefix}${half}.${kind}`, { of: [rows, ...width], base: 0, count, replicas: 1 })
    );
    this.#add(name, [2 * count, ...width], pieces);
  }

  /** All experts in one tensor: of each the rank's rows of gate, then of up. */
  expertsGateAndUp(name: string, { prefix, experts, intermediate, hidden, rules }: ExpertsSource): void {
    const count = intermediate / this.#options.ranks;
    const pieces = Array.from({ length: experts }, (_, expert) =>
      [rules.gate, rules.up].map((half) =>
        this.#rows(`${prefix}${expert}.${half}.weight`, { of: [intermediate, hidden], base: 0, count, replicas: 1 })
      )
    ).flat();
    this.#add(name, [experts, 2 * count, hidden], pieces);
  }

  /** All experts in one tensor: of each the rank's columns of down. */
  expertsDown(name: string, { prefix, experts, intermediate, hidden, rules }: ExpertsSource): void {
    const count = intermediate / this.#options.ranks;
    const pieces = Array.from({ length: experts }, (_, expert): Piece => {
      const source = `${prefix}${expert}.${rules.down}.weight`;
      this.sources.set(source, [hidden, intermediate]);
      return { kind: 'columns', source, rows: hidden, count, width: intermediate };
    });
    this.#add(name, [experts, hidden, count], pieces);
  }

  #rows(
    source: string,
    {
      of,
      base,
      count,
      replicas,
    }: {
      readonly of: readonly [number, ...number[]];
      readonly base: number;
      readonly count: number;
      readonly replicas: number;
    }
  ): Piece {
    this.sources.set(source, of);
    const width = of.slice(1).reduce((elements, dimension) => elements * dimension, 1);
    return { kind: 'rows', source, base, count, replicas, limit: of[0], width };
  }

  #add(name: string, shape: readonly number[], pieces: readonly Piece[]): void {
    this.tensors.push({ name, dtype: this.#options.dtype, shape, pieces });
  }
}
