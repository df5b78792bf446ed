import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tmpFolder } from '../helpers/tmp.js';
import { describeWithVllm, runScript, VLLM_ON_CPU } from './vllm-python.js';

interface Measured {
  readonly versions: { readonly vllm: string };
  readonly patterns: readonly { readonly source: string }[];
}

const parse = (text: string) => JSON.parse(text) as Measured;
const ofVllm = ({ patterns }: Measured) => patterns.filter(({ source }) => source.startsWith('vllm/'));

describeWithVllm('the files that vLLM asks for', () => {
  test('are those of the fixture', { timeout: 120_000 }, async () => {
    const out = join(await tmpFolder(), 'files.json');
    const { code, output } = await runScript('measure_files.py', ['--out', out]);
    expect(code, output).toBe(0);
    const measured = parse(await readFile(out, 'utf8'));
    const kept = parse(await readFile(new URL('../hub/fixtures/vllm-files.json', import.meta.url), 'utf8'));
    expect(measured.versions.vllm).toBe(VLLM_ON_CPU);
    expect(kept.versions.vllm).toBe(VLLM_ON_CPU);
    // Which transformers comes with a release depends on the day that it is installed.
    expect(ofVllm(measured)).toEqual(ofVllm(kept));
  });
});
