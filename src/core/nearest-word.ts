/** The candidate that a mistyped word most likely stands for; undefined where none is near. Case does not count. */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  const typed = word.toLowerCase();
  const near = candidates
    .map((candidate) => ({ candidate, distance: distance(typed, candidate.toLowerCase()) }))
    .filter(({ candidate, distance: edits }) => edits <= mostEdits(Math.min(typed.length, candidate.length)))
    .sort((a, b) => a.distance - b.distance);
  return (near[0] ?? beginning(typed, candidates))?.candidate;
}

/** How many letters must be put in, left out, replaced or swapped with the next one to make one word of the other. */
export function distance(a: string, b: string): number {
  let [older, previous] = [[] as number[], Array.from({ length: b.length + 1 }, (_, at) => at)];
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let at = 1; at <= b.length; at += 1) {
      const same = a[row - 1] === b[at - 1];
      const swapped = row > 1 && at > 1 && a[row - 1] === b[at - 2] && a[row - 2] === b[at - 1];
      const edits = [(previous[at] ?? 0) + 1, (current[at - 1] ?? 0) + 1, (previous[at - 1] ?? 0) + (same ? 0 : 1)];
      current.push(Math.min(...edits, ...(swapped ? [(older[at - 2] ?? 0) + 1] : [])));
    }
    [older, previous] = [previous, current];
  }
  return previous[b.length] ?? 0;
}

/** In a short word one letter makes another word. */
function mostEdits(length: number): number {
  return Math.min(3, Math.floor(length / 3));
}

/** `--out` for `--output`: what was typed is a beginning of one name only. */
function beginning(typed: string, candidates: readonly string[]): { readonly candidate: string } | undefined {
  const longer = candidates.filter((candidate) => typed.length > 2 && candidate.toLowerCase().startsWith(typed));
  return longer.length === 1 && longer[0] !== undefined ? { candidate: longer[0] } : undefined;
}
