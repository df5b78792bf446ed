/**
 * Globs exactly as Python's `fnmatch` reads them, which is how `hf download --include` and `--exclude` do: `*` and `?`
 * match "/" too, `[seq]` and `[!seq]` are sets, nothing else is special, and a glob that ends in "/" means all below it.
 * Takes time in proportion to glob times path at worst, whatever the glob.
 * @returns true for a path that matches one of the globs
 */
export function compileGlobs(globs: readonly string[]): (path: string) => boolean {
  const compiled = globs.map((glob) => compileGlob(glob.endsWith('/') ? `${glob}*` : glob));
  return (path) => {
    // By code points, as Python counts characters.
    const characters = Array.from(path);
    return compiled.some((tokens) => matches(tokens, characters));
  };
}

interface CharacterSet {
  readonly negated: boolean;
  readonly ranges: readonly (readonly [first: number, last: number])[];
}

type Token =
  { readonly any: 'characters' | 'character' } | { readonly literal: string } | { readonly set: CharacterSet };

function compileGlob(glob: string): Token[] {
  const characters = Array.from(glob);
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? '';
    const end = character === '[' ? endOfSet(characters, at) : undefined;
    if (end !== undefined) {
      tokens.push({ set: readSet(characters.slice(at + 1, end)) });
      at = end;
    } else if (character === '*') tokens.push({ any: 'characters' });
    else if (character === '?') tokens.push({ any: 'character' });
    else tokens.push({ literal: character });
  }
  return tokens;
}

/** Position of the closing bracket; a bracket that comes first is a member of the set. */
function endOfSet(glob: readonly string[], open: number): number | undefined {
  let at = open + 1;
  if (glob[at] === '!') at++;
  const end = glob.indexOf(']', glob[at] === ']' ? at + 1 : at);
  return end === -1 ? undefined : end;
}

function readSet(body: readonly string[]): CharacterSet {
  const negated = body[0] === '!';
  const members = body.slice(negated ? 1 : 0).map((character) => character.codePointAt(0) ?? 0);
  const ranges: [number, number][] = [];
  for (let at = 0; at < members.length; at++) {
    const first = members[at] ?? 0;
    const last = members[at + 1] === HYPHEN ? members[at + 2] : undefined;
    // A range that runs backwards is empty.
    ranges.push([first, last ?? first]);
    if (last !== undefined) at += 2;
  }
  return { negated, ranges };
}

const HYPHEN = 0x2d;

/** Goes back to the last star only: an earlier one cannot help where a later one failed. */
function matches(tokens: readonly Token[], path: readonly string[]): boolean {
  let token = 0;
  let at = 0;
  let retry: { token: number; at: number } | undefined;
  while (at < path.length) {
    const current = tokens[token];
    if (current !== undefined && 'any' in current && current.any === 'characters') {
      retry = { token: ++token, at };
    } else if (current !== undefined && takes(current, path[at] ?? '')) {
      token++;
      at++;
    } else if (retry !== undefined) {
      token = retry.token;
      at = ++retry.at;
    } else return false;
  }
  return tokens.slice(token).every((rest) => 'any' in rest && rest.any === 'characters');
}

function takes(token: Token, character: string): boolean {
  if ('any' in token) return true;
  if ('literal' in token) return token.literal === character;
  const code = character.codePointAt(0) ?? 0;
  return token.set.ranges.some(([first, last]) => first <= code && code <= last) !== token.set.negated;
}
