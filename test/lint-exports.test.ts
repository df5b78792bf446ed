import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { expect, test } from 'vitest';

// The project's own configuration, less the rules that need a compiled program: the probes are no real files.
const eslint = new ESLint({
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  overrideConfig: [
    { files: ['**/*.ts'], ...tseslint.configs.disableTypeChecked },
    { files: ['**/*.ts'], languageOptions: { parserOptions: { projectService: false, project: false } } },
  ],
});

async function brokenRules(code: string): Promise<(string | null)[]> {
  const [result] = await eslint.lintText(code, { filePath: 'src/core/probe.ts' });
  return (result?.messages ?? []).map(({ ruleId }) => ruleId);
}

const declarations = [
  'export function x(): void {}',
  'export async function* x() { yield await Promise.resolve(1); }',
  'export class X { readonly x = 1; }',
  'export interface X { readonly x: number }',
  'export type X = string;',
  'export const x = 1;',
  'function x(): void {}\nexport { x };',
];

test.each(declarations)('%s needs a sentence', async (code) => {
  expect(await brokenRules(code)).toEqual(['jsdoc/require-jsdoc']);
  expect(await brokenRules(`/** What it is. */\n${code}`)).toEqual([]);
});

test.each(["export { x } from './other.js';", "export type { X } from './other.js';", "export * from './other.js';"])(
  '%s needs none of its own',
  async (code) => {
    expect(await brokenRules(code)).toEqual([]);
  }
);

test('functions and files of src have room for so many lines, without comments', async () => {
  const lines = (count: number, text: string) => `${text}\n`.repeat(count);
  const body = (count: number) =>
    `/** What it is. */\nexport function x(y: () => void): void {\n${lines(count, 'y();')}}\n`;
  expect(await brokenRules(body(48))).toEqual([]);
  expect(await brokenRules(body(49))).toEqual(['max-lines-per-function']);
  expect(await brokenRules(body(48) + lines(200, '// why'))).toEqual([]);
  expect(await brokenRules(body(48) + lines(201, "import './y.js';"))).toContain('max-lines');
});
