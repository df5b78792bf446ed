import { describe, expect, it } from 'vitest';
import { parseArguments } from '../../src/cli/parse-arguments.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { failure, invocation, textOf } from './parsed.js';

const common = { output: 'text', verbose: false, quiet: false };

describe('parseArguments', () => {
  it.each([
    [
      'several models',
      ['hf-model', 'org/m', 'org/n@v1', '--selection', 'vllm'],
      {
        input: { repo: 'org/m', selection: 'vllm' },
        others: [{ input: { repo: 'org/n', revision: 'v1', selection: 'vllm' } }],
        wait: false,
      },
    ],
    ['a model alone', ['hf-model', 'org/m'], { input: { repo: 'org/m' }, wait: false }],
    [
      'every flag that selects files and a destination',
      [
        ...[
          'hf-model',
          'org/m',
          '--revision',
          'v1',
          '--selection',
          'vllm',
          '--include',
          '*.json',
          '--include',
          '*.txt',
        ],
        ...[
          '--weights',
          'mistral',
          '--exclude',
          'original/*',
          '--artifact-name',
          'mine',
          '--raw-data-path',
          's3://b/m',
          '--force',
          '3',
        ],
      ],
      {
        input: {
          repo: 'org/m',
          revision: 'v1',
          selection: 'vllm',
          weights: 'mistral',
          include: ['*.json', '*.txt'],
          exclude: ['original/*'],
          artifactName: 'mine',
          rawDataPath: 's3://b/m',
          force: 3,
        },
        wait: false,
      },
    ],
    [
      'resources, secrets and sharding',
      [
        ...['hf-model', 'org/m', '--cpu', '32', '--mem', '256Gi', '--gpu', 'L4:2', '--disk', '500Gi', '--shm', '16Gi'],
        ...['--hf-token-key', 'HF_TOKEN_TEAM', '--shard-config', 'shard.yaml'],
      ],
      {
        input: {
          repo: 'org/m',
          hfTokenKey: 'HF_TOKEN_TEAM',
          resources: { cpu: '32', memory: '256Gi', gpu: 'L4:2', disk: '500Gi', shm: '16Gi' },
        },
        shardConfigFile: 'shard.yaml',
        wait: false,
      },
    ],
    [
      'metadata for the manifest',
      [
        ...['hf-model', 'org/m', '--architecture', 'Llama', '--task', 'generate', '--modality', 'text'],
        ...['--modality', 'image', '--format', 'safetensors', '--model-type', 'llama', '--short-description', 'a b'],
      ],
      {
        input: {
          repo: 'org/m',
          metadata: {
            architecture: 'Llama',
            task: 'generate',
            modality: ['text', 'image'],
            format: 'safetensors',
            modelType: 'llama',
            shortDescription: 'a b',
          },
        },
        wait: false,
      },
    ],
    [
      'how to run it and what to print',
      ['hf-model', '--wait', '--store', '/models', '--output', 'json', '--verbose', 'org/m'],
      { input: { repo: 'org/m' }, wait: true, store: '/models', output: 'json', verbose: true },
    ],
  ])('reads hf-model with %s', (_case, argv, options) => {
    expect(invocation(argv)).toEqual({ command: 'hf-model', options: { ...common, ...options } });
  });

  it.each([
    [
      ['id', 'org/m', '--revision', 'v1', '--gpu', 'L4:2'],
      'id',
      { input: { repo: 'org/m', revision: 'v1', resources: { gpu: 'L4:2' } } },
    ],
    [
      ['status', 'prefetch/org/m@main/0123456789ab'],
      'status',
      found({ workflowId: 'prefetch/org/m@main/0123456789ab' }),
    ],
    [
      ['result', 'org/m', '--output', 'json'],
      'result',
      { ...found({ input: { repo: 'org/m' } }, { workflowId: 'org/m' }), output: 'json' },
    ],
    [['cancel', 'org/m', '--force', '0'], 'cancel', found({ input: { repo: 'org/m', force: 0 } })],
    [['plan', 'org/m', '--store', 's3://b/m'], 'plan', { input: { repo: 'org/m' }, store: 's3://b/m' }],
    [['id', 'o/n@v1'], 'id', { input: { repo: 'o/n', revision: 'v1' } }],
    [['id', 'o/n@v1', '--revision', 'v1'], 'id', { input: { repo: 'o/n', revision: 'v1' } }],
    [['id', 'o/n', '--repo-type', 'dataset'], 'id', { input: { repo: 'o/n', repoType: 'dataset' } }],
    [['plan', 'hf://datasets/o/n'], 'plan', { input: { repo: 'o/n', repoType: 'dataset' } }],
    [['status', 'https://huggingface.co/o/n/tree/v1'], 'status', found({ input: { repo: 'o/n', revision: 'v1' } })],
    [['result', 'hf://o/n@v1'], 'result', found({ input: { repo: 'o/n', revision: 'v1' } })],
    [
      ['cancel', 'team/run@7'],
      'cancel',
      found({ workflowId: 'team/run@7' }, { input: { repo: 'team/run', revision: '7' } }),
    ],
    [['worker'], 'worker', {}],
    [
      ['worker', '--roles', 'transfer, main', '--gpu', 'A100:4', '--task-queue', 'mine'],
      'worker',
      { roles: ['main', 'transfer'], gpu: 'A100:4', taskQueue: 'mine' },
    ],
    [['worker', '--exit-when-idle', '90s'], 'worker', { exitWhenIdleMs: 90_000 }],
    [['worker', '--exit-when-idle', '10m'], 'worker', { exitWhenIdleMs: 600_000 }],
    [['worker', '--exit-when-idle', '2h'], 'worker', { exitWhenIdleMs: 7_200_000 }],
    [
      ['dev-hub', 'models', '--host', '0.0.0.0', '--port', '8080', '--cdn-port', '0', '--token-file', 't.json'],
      'dev-hub',
      { folder: 'models', host: '0.0.0.0', port: 8080, cdnPort: 0, tokenFile: 't.json' },
    ],
  ])('reads %j', (argv, command, options) => {
    expect(invocation(argv)).toEqual({ command, options: { ...common, ...options } });
  });

  it.each([
    [['frobnicate'], "unknown command 'frobnicate'"],
    [['hf-model'], "argument 'REPO'"],
    [['hf-model', 'a/b/c'], 'REPO: expected "owner/name"'],
    [['hf-model', 'org/m@v1', '--revision', 'v2'], '--revision: REPO says "v1" already'],
    [['hf-model', 'hf://datasets/o/n', '--repo-type', 'model'], '--repo-type: REPO says "dataset" already'],
    [['hf-model', 'org/m@'], '--revision: '],
    [
      ['hf-model', 'org/m', '--repo-type', 'dataset', '--selection', 'vllm'],
      '--selection: expected "all" for a dataset',
    ],
    [['hf-model', 'org/m', '--repo-type', 'space'], '--repo-type: expected model or dataset, got "space"'],
    [['id', 'org/m', 'more'], 'too many arguments'],
    [['hf-model', 'org/m', 'org/n', '--artifact-name', 'x'], '--artifact-name: it names the folder of one model'],
    [['hf-model', 'org/m', 'a/b/c'], 'REPO: expected "owner/name"'],
    [['hf-model', 'org/m', '--tokn', 'x'], "unknown option '--tokn'"],
    [['hf-model', 'org/m', '--revision'], "option '--revision <revision>'"],
    [['hf-model', 'org/m', '--revision', 'a..b'], '--revision: expected a branch'],
    [['hf-model', 'org/m', '--selection', 'some'], '--selection: expected all or vllm, got "some"'],
    [
      ['hf-model', 'org/m', '--selection', 'vllm', '--weights', 'gguf'],
      '--weights: expected hf or mistral, got "gguf"',
    ],
    [['hf-model', 'org/m', '--weights', 'mistral'], '--weights: expected only with selection "vllm"'],
    [['hf-model', 'org/m', '--include', ''], '--include: '],
    [['hf-model', 'org/m', '--exclude', ''], '--exclude: '],
    [['hf-model', 'org/m', '--artifact-name', 'a b'], '--artifact-name: expected letters'],
    [['hf-model', 'org/m', '--raw-data-path', 'bucket'], '--raw-data-path: expected a URL'],
    [['hf-model', 'org/m', '--hf-token-key', 'not a name'], '--hf-token-key: expected the NAME'],
    [['hf-model', 'org/m', '--force', 'yes'], '--force: expected a whole number, got "yes"'],
    [['hf-model', 'org/m', '--force', '-1'], '--force'],
    [['hf-model', 'org/m', '--cpu', 'many'], '--cpu: expected a quantity'],
    [['hf-model', 'org/m', '--mem', '1PiB'], '--mem: expected a quantity'],
    [['hf-model', 'org/m', '--gpu', 'A100:0'], '--gpu: expected MODEL:COUNT'],
    [['hf-model', 'org/m', '--disk', 'x'], '--disk: '],
    [['hf-model', 'org/m', '--shm', 'x'], '--shm: '],
    [['hf-model', 'org/m', '--task', 'x'.repeat(201)], '--task: '],
    [['hf-model', 'org/m', '--modality', 'x'.repeat(101)], '--modality: '],
    [['hf-model', 'org/m', '--model-type', 'x'.repeat(201)], '--model-type: '],
    [['hf-model', 'org/m', '--short-description', 'x'.repeat(1001)], '--short-description: '],
    [['hf-model', 'org/m', '--output', 'xml'], '--output: expected text or json, got "xml"'],
    [['status', 'prefetch/org/m@main/0123456789ab', '--revision', 'v1'], 'WORKFLOW_ID'],
    [['worker', '--roles', 'main,kitchen'], '--roles: "kitchen"'],
    [['worker', '--exit-when-idle', '10'], '--exit-when-idle: expected a duration'],
    [['worker', '--exit-when-idle', '0s'], '--exit-when-idle: expected a duration'],
    [['dev-hub', 'models', '--port', '70000'], '--port: expected a port'],
    [['dev-hub'], "argument 'DIR'"],
  ])('refuses %j as InvalidInput, naming what is wrong', (argv, text) => {
    const error = failure(argv);
    expect(isPrefetchError(error, 'InvalidInput')).toBe(true);
    expect(String(error)).toContain(text);
    expect(String(error)).not.toContain('\n');
  });

  it('names every flag that is wrong at once', () => {
    expect(String(failure(['hf-model', 'org/m', '--gpu', 'x', '--artifact-name', '']))).toMatch(
      /--artifact-name.*--gpu/
    );
  });

  it('does not repeat a token that was put where its name belongs', () => {
    expect(String(failure(['hf-model', 'org/m', '--hf-token-key', 'hf_abc def']))).not.toContain('hf_abc');
  });

  it('gives the version and the help as text', () => {
    expect(parseArguments(['--version'], '1.2.3')).toEqual({ kind: 'text', text: '1.2.3\n' });
    const commands = ['hf-model', 'id', 'status', 'result', 'cancel', 'plan', 'worker', 'dev-hub'];
    for (const command of commands) {
      expect(textOf(['--help'])).toContain(`\n  ${command} `);
      expect(textOf([command, '--help'])).toMatch(/Usage: model-prefetch .*\n[\s\S]*Examples:\n {2}1\. /);
    }
  });

  it('shows every flag of hf-model in its help, and only those that make the ID in the help of status', () => {
    const flags = [
      ...['revision', 'include', 'exclude', 'artifact-name', 'raw-data-path', 'hf-token-key', 'force', 'wait'],
      ...['shard-config', 'cpu', 'mem', 'gpu', 'disk', 'shm', 'architecture', 'task', 'modality', 'format'],
      ...['model-type', 'short-description', 'store', 'output', 'selection', 'weights'],
    ];
    for (const flag of flags)
      expect(textOf(['hf-model', '--help'])).toMatch(new RegExp(`^ {2}(?:-\\w, )?--${flag} `, 'm'));
    expect(textOf(['status', '--help'])).toContain('--revision');
    expect(textOf(['status', '--help'])).not.toContain('--gpu');
  });
});

function found(...candidates: readonly object[]): object {
  return { candidates };
}
