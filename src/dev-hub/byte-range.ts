/** What a Range header asks of a file: the whole, `[start, end)`, or more than there is. */
export type AskedRange =
  | { readonly kind: 'whole' }
  | { readonly kind: 'part'; readonly start: number; readonly end: number }
  | { readonly kind: 'unsatisfiable' };

/**
 * Headers that make no sense, and lists of ranges, are ignored, as RFC 9110 allows.
 * An empty file is always answered whole: `bytes=0-0` is how clients ask for its head, and a 416 kills them.
 */
export function askedRange(header: string | undefined, size: number): AskedRange {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (match === null || size === 0) return { kind: 'whole' };
  const [, first = '', last = ''] = match;
  if (first === '') {
    if (last === '') return { kind: 'whole' };
    const length = Math.min(Number(last), size);
    return length === 0 ? { kind: 'unsatisfiable' } : { kind: 'part', start: size - length, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return { kind: 'whole' };
  return start >= size ? { kind: 'unsatisfiable' } : { kind: 'part', start, end };
}
