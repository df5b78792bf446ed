/** Which moment leads to which. */
export interface Edges {
  add(from: number, to: number): void;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

export function recordEdges(): Edges {
  const from: number[] = [];
  const to: number[] = [];
  return {
    from,
    to,
    add(before, after) {
      from.push(before);
      to.push(after);
    },
  };
}

/** How many ways lead from the first moment to one that nothing follows. */
export function countSchedules({ from, to }: Edges, moments: number): number {
  const incoming = new Int32Array(moments);
  const starts = new Int32Array(moments + 1);
  for (const [edge, target] of to.entries()) {
    incoming[target] = (incoming[target] ?? 0) + 1;
    const after = (from[edge] ?? 0) + 1;
    starts[after] = (starts[after] ?? 0) + 1;
  }
  for (let moment = 0; moment < moments; moment++)
    starts[moment + 1] = (starts[moment + 1] ?? 0) + (starts[moment] ?? 0);
  // Edges were recorded moment by moment, in their order.
  const ways = new Float64Array(moments);
  ways[0] = 1;
  let total = 0;
  const ready = [0];
  for (let moment = ready.pop(); moment !== undefined; moment = ready.pop()) {
    const [first = 0, last = 0] = [starts[moment], starts[moment + 1]];
    if (first === last) total += ways[moment] ?? 0;
    for (let edge = first; edge < last; edge++) {
      const target = to[edge] ?? 0;
      ways[target] = (ways[target] ?? 0) + (ways[moment] ?? 0);
      incoming[target] = (incoming[target] ?? 0) - 1;
      if (incoming[target] === 0) ready.push(target);
    }
  }
  return total;
}
