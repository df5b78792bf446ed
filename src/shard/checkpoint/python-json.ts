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
    return JSON.parse(
      text.replaceAll(STRING_OR_CONSTANT, (found) => (found.startsWith('"') ? found : asObject(found)))
    );
  }
}

const STRING_OR_CONSTANT = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs;

/** No text: in the place of a key, or after a sign, it must stay an error. */
function asObject(constant: string): string {
  return `{"__float__":"${constant}"}`;
}
