/** What is copied stays in one piece: quotes, commands with their words, and anything without a blank in it. */
const PIECES =
  /"[^"\n]{1,200}"\S*|`[^`\n]{1,200}`\S*|\(?(?:model-prefetch|temporal)(?: [a-z][\w-]*)+(?: --?[\w-]+(?: [^\s-]\S*)?)+\S*|\(?model-prefetch [a-z][\w-]*\S*|\S+/g;

/**
 * Breaks a text at blanks so that its lines fit; what follows the first line is indented. A word that is longer than a
 * line, such as a URL, is left to the terminal, whose own breaks are not copied.
 */
export function wrapWords(text: string, columns: number, indent = '  '): string[] {
  return text.split('\n').flatMap((line) => wrapLine(line, columns, indent));
}

function wrapLine(line: string, columns: number, indent: string): string[] {
  if (line.length < columns) return [line];
  const lines: string[] = [];
  let current = /^\s*/.exec(line)?.[0] ?? '';
  const further = current + indent;
  let isEmpty = true;
  for (const [piece] of line.matchAll(PIECES)) {
    if (!isEmpty && current.length + 1 + piece.length >= columns) {
      lines.push(current);
      [current, isEmpty] = [further, true];
    }
    current += isEmpty ? piece : ` ${piece}`;
    isEmpty = false;
  }
  return [...lines, current];
}
