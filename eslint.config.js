import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import jsdoc from 'eslint-plugin-jsdoc';
import tseslint from 'typescript-eslint';
import { roomRules } from './eslint.rooms.js';

/** Functions that are longer than they may be elsewhere, and why each of these files is better so. */
const longFunctions = [
  // A list of tests, one below the other.
  'src/storage/conformance/{answers,objects,uploads}.ts',
  // A scanner: small functions that share one position in the text.
  'src/safetensors/json-scanner.ts',
  // One queue or pool each, as small functions that share its state.
  'src/tasks/permits.ts',
  'src/transfer/budget/slab-pool.ts',
  'torture/round/fleet.ts',
  // The events of one connection or timer, which share its state.
  'src/http/{raw-range,stall-watch,stream-range}.ts',
  // One small method for each moment of a run that its progress tells.
  'src/workflows/report.ts',
];

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', 'schemas/', 'test/fixtures/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['src/**/*.ts'],
    plugins: { jsdoc },
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: true,
          enableFixer: false,
          require: { FunctionDeclaration: true, ClassDeclaration: true },
          contexts: [
            'TSInterfaceDeclaration',
            'TSTypeAliasDeclaration',
            'TSEnumDeclaration',
            'ExportNamedDeclaration > VariableDeclaration',
          ],
        },
      ],
    },
  },
  {
    files: ['{src,bench,torture,examples}/**/*.ts'],
    rules: { 'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['{src,bench,torture,examples}/**/*.ts'],
    ignores: longFunctions,
    rules: { 'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }] },
  },
  {
    files: ['**/*.mjs', '*.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        fetch: 'readonly',
        AbortController: 'readonly',
        AbortSignal: 'readonly',
      },
    },
  },
  ...roomRules
);
