/**
 * Reads JSON as Python does, which reads it for vLLM: NaN and Infinity are values, of equal keys the last one counts, and a
 * byte order mark is an error. Such a number becomes an object in the way of transformers, which every JSON can say.
 */
export function parsePythonJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    return JSON.parse(replaceConstants(text));
  }
}

/** In one pass, and without a regular expression for strings: one that never ends would be tried from each of its quotes. */
function replaceConstants(text: string): string {
  const next = /"|-?Infinity|NaN/g;
  const parts: string[] = [];
  let copied = 0;
  for (let found = next.exec(text); found !== null; found = next.exec(text)) {
    const [token] = found;
    if (token === '"') next.lastIndex = endOfString(text, next.lastIndex);
    else {
      parts.push(text.slice(copied, found.index), asObject(token));
      copied = next.lastIndex;
    }
  }
  return parts.join('') + text.slice(copied);
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** After the closing quote, or the end of the text. */
function endOfString(text: string, start: number): number {
  let position = start;
  while (position < text.length && text.charCodeAt(position) !== QUOTE) {
    position += text.charCodeAt(position) === BACKSLASH ? 2 : 1;
  }
  return position + 1;
}

/** No text: in the place of a key, or after a sign, it must stay an error. */
function asObject(constant: string): string {
  return `{"__float__":"${constant}"}`;
}
