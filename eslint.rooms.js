/**
 * Which room may import which, as a list: an arrow goes only upwards. `test/lint-rooms.test.ts` proves that it bites.
 * `types` are rooms whose types alone may be imported; `outside` are packages that the room may use.
 */
export const rooms = [
  { room: 'core', may: [], outside: ['@noble/hashes', 'zod'] },
  { room: 'http', may: ['core'], outside: ['node:'] },
  { room: 'hub', may: ['core', 'http'], outside: ['node:', '@huggingface/hub', 'picomatch'] },
  { room: 'storage', may: ['core', 'http'], outside: ['node:', '@aws-sdk/', '@smithy/', '@aws-crypto/', 'vitest'] },
  { room: 'transfer', may: ['core', 'http', 'hub', 'storage'], outside: ['node:'] },
  { room: 'starter', may: ['core'], outside: ['@temporalio/client', '@temporalio/common'] },
  {
    room: 'activities',
    may: ['core', 'http', 'hub', 'storage', 'transfer', 'starter'],
    outside: ['node:', '@temporalio/'],
  },
  { room: 'workflows', may: ['core'], outside: ['@temporalio/workflow', '@temporalio/common'] },
  { room: 'config', may: ['core'], outside: ['node:'] },
  { room: 'dev-hub', may: ['core'], outside: ['node:'] },
  { room: 'embedded', may: ['core'], outside: ['node:', '@temporalio/client'] },
  {
    room: 'cli',
    may: ['core', 'http', 'hub', 'storage', 'transfer', 'starter', 'activities', 'config', 'dev-hub', 'embedded'],
    outside: ['node:', '@temporalio/', 'commander', 'cli-progress', 'yaml', 'zod'],
  },
];

const everyRoom = rooms.map(({ room }) => room);

export const roomRules = [
  ...rooms.map(({ room, may, outside }) => ({
    files: [`src/${room}/**/*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: `^(?:\\.\\./)+(?:${everyRoom.filter((other) => other !== room && !may.includes(other)).join('|')})/`,
              message: `src/${room} may import ${may.join(', ') || 'no other room'} only.`,
            },
            {
              regex: `^(?!\\.)(?!${outside.map(escape).join('|')})`,
              message: `src/${room} may use these packages only: ${outside.join(', ')}.`,
            },
            ...(room === 'workflows'
              ? [
                  {
                    regex: 'core/schemas/',
                    allowTypeImports: true,
                    message: 'zod would add a megabyte to every workflow bundle: import types only.',
                  },
                ]
              : []),
          ],
        },
      ],
    },
  })),
  {
    files: ['src/**/*.ts'],
    ignores: ['src/config/**'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'src/config is the only reader of the environment.' },
      ],
    },
  },
];

function escape(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
}
