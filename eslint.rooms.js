/**
 * Which room may import which, as a list: an arrow goes only upwards. `test/lint-rooms.test.ts` proves that it bites.
 * `outside` are packages that the room may use; with `entryPoints` it may also import the files beside the rooms.
 */
const rooms = [
  { room: 'core', may: [], outside: ['@noble/hashes', 'zod'] },
  { room: 'tasks', may: [], outside: ['node:'] },
  { room: 'safetensors', may: ['core'], outside: [] },
  { room: 'http', may: ['core', 'tasks'], outside: ['node:', 'http-proxy-agent', 'https-proxy-agent'] },
  { room: 'hub', may: ['core', 'tasks', 'http'], outside: ['node:'] },
  { room: 'storage', may: ['core', 'tasks', 'http'], outside: ['node:', '@aws-sdk/', '@smithy/', 'vitest'] },
  { room: 'transfer', may: ['core', 'tasks', 'http', 'storage'], outside: ['node:'] },
  { room: 'dir', may: ['core', 'tasks', 'http', 'storage', 'transfer'], outside: ['node:'] },
  { room: 'shard', may: ['core', 'tasks', 'safetensors', 'http', 'hub', 'storage', 'transfer'], outside: ['node:'] },
  { room: 'starter', may: ['core', 'tasks'], outside: ['@temporalio/client', '@temporalio/common'] },
  {
    room: 'steps',
    may: ['core', 'tasks', 'safetensors', 'http', 'hub', 'storage', 'transfer', 'dir', 'shard'],
    outside: ['node:'],
  },
  {
    room: 'activities',
    may: ['core', 'transfer', 'dir', 'steps', 'starter'],
    outside: ['node:async_hooks', '@temporalio/activity', '@temporalio/common'],
  },
  { room: 'workflows', may: ['core'], outside: ['@temporalio/workflow', '@temporalio/common'] },
  { room: 'config', may: ['core', 'tasks'], outside: ['node:'] },
  {
    room: 'worker',
    may: ['core', 'tasks', 'hub', 'storage', 'transfer', 'steps', 'activities', 'config'],
    outside: ['node:', '@temporalio/'],
  },
  { room: 'dev-hub', may: ['core', 'tasks'], outside: ['node:'] },
  { room: 'embedded', may: ['core', 'tasks'], outside: ['node:', '@temporalio/client'] },
  {
    room: 'cli',
    may: [
      'core',
      'tasks',
      'safetensors',
      'http',
      'hub',
      'storage',
      'transfer',
      'dir',
      'shard',
      'starter',
      'steps',
      'config',
      'dev-hub',
      'embedded',
      'worker',
    ],
    outside: ['node:', '@temporalio/', 'commander', 'yaml', 'zod'],
    entryPoints: true,
  },
];

const everyRoom = rooms.map(({ room }) => room);

/** How deep a folder of a room may lie: the way out of it is longer by one `../` for each level. */
const depths = [1, 2, 3, 4];

const theirWords =
  /x-amz-|<Code>|^(?:NoSuch\w+|AccessDenied|InvalidObjectState|ExpiredToken\w*|SlowDown|SignatureDoesNotMatch)$/i;

/** What S3 says in its answers is read where S3 is; everybody else asks the store what an answer means. */
const answersOfS3 = {
  meta: { schema: [] },
  create(context) {
    const message =
      'Only src/storage/s3 knows the answers of S3: ask the store (confirmPart, confirmObject, readFailure).';
    const look = (node, text) => {
      if (typeof text === 'string' && theirWords.test(text)) context.report({ node, message });
    };
    return {
      Literal: (node) => look(node, node.regex?.pattern ?? node.value),
      TemplateElement: (node) => look(node, node.value.raw),
      'MemberExpression[object.property.name="headers"][property.value="etag"]': (node) =>
        context.report({ node, message }),
      'MemberExpression[object.property.name="headers"][property.name="etag"]': (node) =>
        context.report({ node, message }),
    };
  },
};

export const roomRules = [
  ...rooms.flatMap((room) => depths.map((depth) => rulesAtDepth(room, depth))),
  {
    files: ['src/**/*.ts'],
    ignores: [
      'src/storage/s3/**',
      // The CDN of the Hub is one of AWS: a header of its answers names the request.
      'src/hub/hub-errors.ts',
      // Plays that CDN.
      'src/dev-hub/**',
      // A signature that no message of any store may show.
      'src/storage/conformance/answers.ts',
    ],
    plugins: { rooms: { rules: { 'answers-of-s3': answersOfS3 } } },
    rules: { 'rooms/answers-of-s3': 'error' },
  },
  {
    files: ['src/**/*.ts'],
    // Whoever opens a store from this package is behind the proxy too, with settings or without.
    ignores: ['src/config/**', 'src/http/proxies.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'env', message: 'src/config is the only reader of the environment.' },
      ],
    },
  },
];

function rulesAtDepth({ room, may, outside, entryPoints = false }, depth) {
  const patterns = [
    {
      regex: `^(?:\\.\\./)+(?:${everyRoom.filter((other) => other !== room && !may.includes(other)).join('|')})/`,
      message: `src/${room} may import ${may.join(', ') || 'no other room'} only.`,
    },
    {
      // `(?!)` would match nothing at all: a room without packages would be free to use any.
      regex: `^(?!\\.)${outside.length === 0 ? '' : `(?!${outside.map(escape).join('|')})`}`,
      message: `src/${room} may use these packages only: ${outside.join(', ') || 'none'}.`,
    },
    ...(entryPoints
      ? []
      : [
          {
            regex: `^(?:\\.\\./){${depth},}[^./]+\\.js$`,
            message: `src/${room} may not import the entry points, for they import the rooms.`,
          },
        ]),
  ];
  const typesOnly = {
    regex: 'core/schemas/',
    allowTypeImports: true,
    message: 'zod would add a megabyte to every workflow bundle: import types only.',
  };
  return {
    files: [`src/${room}/${'*/'.repeat(depth - 1)}*.ts`],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { patterns: room === 'workflows' ? [...patterns, typesOnly] : patterns },
      ],
      // The rule above does not look at import(). A selector ends its regular expression at any slash.
      'no-restricted-syntax': [
        'error',
        ...patterns.map(({ regex, message }) => ({
          selector: `ImportExpression[source.value=/${regex.replaceAll('/', String.raw`\x2f`)}/]`,
          message,
        })),
      ],
    },
  };
}

function escape(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
