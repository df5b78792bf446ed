import { describe, expect, test } from 'vitest';
import { untieEmbeddings } from '../../../src/shard/checkpoint/untie-embeddings.js';
import { refusal } from '../../helpers/refusal.js';

const untie = (text: string) => new TextDecoder().decode(untieEmbeddings(new TextEncoder().encode(text)));

describe('config.json', () => {
  test.each([
    ['{"tie_word_embeddings": true}', '{"tie_word_embeddings": false}'],
    ['{"tie_word_embeddings":null}', '{"tie_word_embeddings":false}'],
    ['{"tie_word_embeddings" :\n true, "a": 1}', '{"tie_word_embeddings" :\n false, "a": 1}'],
    [
      '{\n  "hidden_size": 64,\n  "rope_theta": 1e6,\n  "tie_word_embeddings": true,\n  "x": "é"\n}\n',
      '{\n  "hidden_size": 64,\n  "rope_theta": 1e6,\n  "tie_word_embeddings": false,\n  "x": "é"\n}\n',
    ],
  ])('keeps its text but for the field: %j', (config, expected) => {
    expect(untie(config)).toBe(expected);
  });

  test('gets the field where it has none, which is tied by default for some models', () => {
    const changed = untie('{\n  "model_type": "gemma"\n}');
    expect(JSON.parse(changed)).toEqual({ tie_word_embeddings: false, model_type: 'gemma' });
    expect(changed.endsWith('"model_type": "gemma"\n}')).toBe(true);
  });

  test('has it changed in configs inside of it too', () => {
    const changed = untie('{"tie_word_embeddings": true, "text_config": {"tie_word_embeddings": true}}');
    expect(JSON.parse(changed)).toEqual({
      tie_word_embeddings: false,
      text_config: { tie_word_embeddings: false },
    });
  });

  test('may speak of the field in a text', () => {
    const config = JSON.stringify({ tie_word_embeddings: true, note: '"tie_word_embeddings": true' });
    expect(JSON.parse(untie(config))).toEqual({ tie_word_embeddings: false, note: '"tie_word_embeddings": true' });
  });

  test('may have values that only Python takes for JSON', () => {
    expect(untie('{"tie_word_embeddings": true, "x": [NaN, -Infinity]}')).toBe(
      '{"tie_word_embeddings": false, "x": [NaN, -Infinity]}'
    );
  });

  test.each([
    ['has the field only inside of another', '{"text_config": {"tie_word_embeddings": true}}'],
    ['has something else in it', '{"tie_word_embeddings": "yes", "text_config": {"tie_word_embeddings": true}}'],
    ['has no fields at all', '{}'],
    ['is no object', '[]'],
    ['is no JSON', '{"tie_word_embeddings": true'],
  ])('that %s is refused', (_what, config) => {
    const { code, reason, message } = refusal(() => untie(config));
    expect({ code, reason }).toEqual({ code: 'UnsupportedSharding', reason: 'tied-embeddings' });
    expect(message).toContain('engine vllm (or auto, which falls back to it) can take others');
  });
});
