import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { wordsOf, allWords } from '../../src/cli/completion/words.js';
import { declareProgram } from '../../src/cli/declarations/program.js';
import { parseArguments } from '../../src/cli/parse-arguments.js';
import { modelId } from '../../src/cli/target.js';
import { isPrefetchError } from '../../src/core/errors.js';
import { tmpFolder } from '../helpers/tmp.js';
import { failure, invocation, textOf } from './parsed.js';

describe('parseArguments, as people type', () => {
  it.each([[[]], [['-h']], [['help']]])('shows the commands for %j', (argv) => {
    const text = textOf(argv);
    expect(text).toMatch(/^Usage: model-prefetch COMMAND/);
    for (const group of ['Bring models', 'Look and wait', 'Shard and check', 'Run workers', 'Other', 'Common flags']) {
      expect(text).toContain(`\n${group}:\n`);
    }
    expect(text.indexOf('Common flags:')).toBeGreaterThan(text.indexOf('Other:'));
  });

  it.each([
    [['help', 'plan'], 'plan'],
    [['plan', '-h'], 'plan'],
    [['plan', 'help'], 'plan'],
    [['worker', 'help'], 'worker'],
    [['help', 'shard', 'plan'], 'shard plan'],
    [['shard', 'plan', 'help'], 'shard plan'],
    [['shard', 'plan', '-h'], 'shard plan'],
  ])('shows the help of the command for %j', (argv, command) => {
    expect(textOf(argv)).toMatch(new RegExp(`^Usage: model-prefetch ${command} `));
  });

  it('takes "help" for a folder where a command works on one', () => {
    expect(invocation(['verify', 'help'])).toMatchObject({ command: 'verify', options: { dir: 'help' } });
  });

  it.each([[['-V']], [['--version']], [['-v']]])('shows the version for %j', (argv) => {
    expect(textOf(argv)).toBe('0.0.0\n');
  });

  it.each([
    [['id', 'o/n', '--json'], { output: 'json' }],
    [['id', 'o/n', '-o', 'json'], { output: 'json' }],
    [['--json', 'id', 'o/n'], { output: 'json' }],
    [['-o', 'json', 'id', 'o/n'], { output: 'json' }],
    [['--output=json', 'id', 'o/n'], { output: 'json' }],
    [['id', '--output=json', 'o/n'], { output: 'json' }],
    [['id', 'o/n', '-q'], { quiet: true }],
    [['--quiet', 'id', 'o/n'], { quiet: true }],
    [['id', 'o/n', '-v'], { verbose: true }],
    [['-v', 'id', 'o/n'], { verbose: true }],
    [['hf-model', 'o/n', '--timeout', '10m'], { timeoutMs: 600_000, wait: true }],
    [['hf-model', 'o/n', '--no-wait'], { wait: false }],
    [['shard', 'plan', 'd', '--tensor-parallel-size', '2', '--json'], { output: 'json' }],
  ])('reads the flags of %j, wherever they stand', (argv, options) => {
    expect(invocation(argv)).toMatchObject({ options });
  });

  it.each([
    [['hf-modle', 'o/n'], 'Did you mean hf-model?'],
    [['HF-MODEL', 'o/n'], 'Did you mean hf-model?'],
    [['download', 'o/n'], 'Did you mean hf-model?'],
    [['pull', 'o/n'], 'Did you mean hf-model?'],
    [['model', 'o/n'], 'Did you mean hf-model?'],
    [['ls'], 'temporal workflow list'],
    [['nope', '--help'], "unknown command 'nope'"],
    [['help', 'statsu'], 'Did you mean status?'],
    [['constructor'], "unknown command 'constructor'"],
    [['meta-llama/Llama-3.1-8B'], 'model-prefetch hf-model meta-llama/Llama-3.1-8B'],
    [['hf-model', 'o/n', '--revison', 'v1'], 'Did you mean --revision?'],
    [['hf-model', 'o/n', '--revison=v1'], 'Did you mean --revision?'],
    [['hf-model', 'o/n', '--out', 'json'], 'Did you mean --output?'],
    [['hf-model', 'o/n', '--branch', 'v1'], 'Did you mean --revision?'],
    [['hf-model', 'o/n', '--tp', '2'], 'Did you mean --tensor-parallel-size?'],
    [['hf-model', 'o/n', '--local-dir', 'x'], 'Did you mean --raw-data-path?'],
    [['hf-model', 'o/n', '--address', 'x'], 'set TEMPORAL_ADDRESS'],
    [['hf-model', 'o/n', '--selection', 'vlm'], 'got "vlm". Did you mean vllm?'],
    [['id', 'o/n', '--output', 'jsn'], 'expected text or json, got "jsn". Did you mean json?'],
    [['hf-model', 'o/n', 'a.json', '--include', 'b.json'], 'A glob must be in quotes'],
    [['plan', 'o/n', 'a.json', '--include', 'b.json'], 'A glob must be in quotes'],
    [['downlaod', 'o/n'], 'Did you mean hf-model?'],
    [['hf-model', 'o/n', '--barnch', 'v1'], 'Did you mean --revision?'],
    [['--timeout', '5m', 'hf-model', 'o/n'], "'--timeout' is a flag of hf-model"],
    [['-o', 'json'], 'A command is missing'],
    [['-q'], 'A command is missing'],
    [['hf-model'], 'See model-prefetch hf-model --help'],
    [['completion', 'tcsh'], 'SHELL: expected bash, zsh or fish'],
    [['hf-model', 'o/n', '--no-wait', '--timeout', '1h'], '--timeout: '],
    [['result', 'o/n', '--timeout', '600h'], '--timeout: expected at most'],
    [['hf-model', 'o/n', '--dtype', 'float16'], '--dtype: it is for shards'],
    [['plan', 'o/n', '--engine', 'vllm', '--shard-config', 'f'], '--engine: the file of --shard-config'],
    [['plan', 'o/n', '--tensor-parallel-size', '0'], '--tensor-parallel-size: expected at least 1, got 0'],
    [['status'], '--workflow-id <id>'],
    [['status', 'o/n', '--workflow-id', 'x'], '--workflow-id: the argument names a run already'],
    [['status', '-w', 'x', '--revision', 'v1'], '--workflow-id: it names the run completely'],
    [['id', 'o/n', '--include', ''], '--include: expected at least 1 character, got none'],
  ])('says for %j what was meant', (argv, text) => {
    const error = failure(argv);
    expect(isPrefetchError(error, 'InvalidInput')).toBe(true);
    expect(String(error)).toContain(text);
    expect(String(error)).not.toMatch(/Too (?:small|big)|Invalid (?:input|option)|\n/);
  });

  it('does not repeat what stands behind an unknown flag, for it may be a token', () => {
    expect(String(failure(['hf-model', 'o/n', '--token=secret-of-mine']))).not.toContain('secret-of-mine');
    expect(String(failure(['hf-model', 'o/n', '--tokn=secret-of-mine']))).not.toContain('secret-of-mine');
  });

  it.each([
    [['status', '--workflow-id', 'a/b'], [{ workflowId: 'a/b' }]],
    [['cancel', '-w', 'nightly'], [{ workflowId: 'nightly' }]],
    [
      ['status', 'nightly-llama'],
      [{ input: { repo: 'nightly-llama' } }, { workflowId: 'nightly-llama' }],
    ],
    [['status', 'team/nightly/llama'], [{ workflowId: 'team/nightly/llama' }]],
    [
      ['result', 'o/n@v1'],
      [{ workflowId: 'o/n@v1' }, { input: { repo: 'o/n', revision: 'v1' } }],
    ],
    [['result', 'o/n@v1', '--force', '1'], [{ input: { repo: 'o/n', revision: 'v1', force: 1 } }]],
  ])('takes the argument of %j for whatever it may name', (argv, candidates) => {
    expect(invocation(argv)).toMatchObject({ options: { candidates } });
  });

  it('gives shards by flags the ID that the equal file gives', async () => {
    const file = join(await tmpFolder(), 'shard.yaml');
    await writeFile(
      file,
      'engine: vllm\nargs: {tensor_parallel_size: 4, max_file_size: 1GiB, vllm_version: v0.26.0}\n'
    );
    const flags = [
      '--tensor-parallel-size',
      '4',
      '--engine',
      'vllm',
      '--max-file-size=1GiB',
      '--vllm-version',
      'v0.26.0',
    ];
    expect(await idOf(['id', 'o/n', ...flags])).toBe(await idOf(['id', 'o/n', '--shard-config', file]));
    await writeFile(file, 'args: {tensor_parallel_size: 2}\n');
    const two = await idOf(['id', 'o/n', '--shard-config', file]);
    expect(await idOf(['id', 'o/n', '--tensor-parallel-size', '2'])).toBe(two);
    expect(await idOf(['id', 'o/n', '--tensor-parallel-size', '2', '--engine', 'auto', '--no-trust-remote-code'])).toBe(
      two
    );
  });

  it('fits all help into 80 columns, tells every default or choice, and puts common flags last', () => {
    const program = declareProgram('0.0.0', () => undefined);
    for (const { path, flags } of allWords(wordsOf(program))) {
      const text = path === 'help' ? '' : textOf([...path.split(' ').filter((word) => word !== ''), '--help']);
      expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
      for (const { values, description } of flags) {
        for (const value of Array.isArray(values) ? values : []) expect(description).toContain(value);
      }
    }
  });

  it('reads model-prefetch-worker as the command worker', () => {
    const worker = (argv: readonly string[]) => parseArguments(argv, '0.0.0', 'model-prefetch-worker');
    expect(worker([])).toMatchObject({ kind: 'run', invocation: { command: 'worker' } });
    expect(worker(['--roles', 'main'])).toMatchObject({ invocation: { options: { roles: ['main'] } } });
    expect(worker(['-h'])).toMatchObject({ text: expect.stringMatching(/^Usage: model-prefetch-worker /) as string });
    expect(worker(['--version'])).toEqual({ kind: 'text', text: '0.0.0\n' });
    expect(() => worker(['--rolls', 'main'])).toThrow("unknown option '--rolls'. Did you mean --roles?");
  });
});

async function idOf(argv: readonly string[]): Promise<string> {
  const parsed = parseArguments(argv, '0.0.0');
  return parsed.kind === 'run' && parsed.invocation.command === 'id' ? modelId(parsed.invocation.options) : '';
}
