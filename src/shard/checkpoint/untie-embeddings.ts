import { unsupported, withWayOut } from '../layout/unsupported.js';
import { parsePythonJson } from './python-json.js';

/** The same config.json with `"tie_word_embeddings": false`; nothing else of its text changes. */
export function untieEmbeddings(config: Uint8Array): Uint8Array {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(config);
  const field = /("tie_word_embeddings"\s*:\s*)(?:true|null)/g;
  const found = [...text.matchAll(field)].length;
  const changed =
    found === 0 ? text.replace(/\{/, '{\n  "tie_word_embeddings": false,') : text.replaceAll(field, '$1false');
  const bytes = new TextEncoder().encode(changed);
  if (isUntied(bytes)) return bytes;
  return withWayOut(
    unsupported('tied-embeddings', 'config.json cannot be made to say that its embeddings are not tied')
  );
}

function isUntied(bytes: Uint8Array): boolean {
  try {
    const config: unknown = parsePythonJson(bytes);
    return (
      typeof config === 'object' &&
      config !== null &&
      'tie_word_embeddings' in config &&
      config.tie_word_embeddings === false
    );
  } catch {
    return false;
  }
}
