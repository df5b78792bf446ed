import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { bashScript } from '../../src/cli/completion/bash.js';
import { fishScript } from '../../src/cli/completion/fish.js';
import { allWords, wordsOf } from '../../src/cli/completion/words.js';
import { zshScript } from '../../src/cli/completion/zsh.js';
import { declareProgram } from '../../src/cli/declarations/program.js';
import { tmpFolder } from '../helpers/tmp.js';

const run = promisify(execFile);
const words = wordsOf(declareProgram('0.0.0', () => undefined));
const shells = { bash: await has('bash'), zsh: await has('zsh'), fish: await has('fish') };

/** What is typed, what it may become among others, and what it may not. */
const CASES: readonly (readonly [typed: readonly string[], some: readonly string[], none: readonly string[]])[] = [
  [[''], ['hf-model', 'shard', 'completion', 'help'], ['org']],
  [['hf'], ['hf-model'], ['plan']],
  [['hf-model', '--sel'], ['--selection'], ['--store']],
  [['hf-model', '--selection', ''], ['all', 'vllm'], ['hf-model']],
  [['shard', 'plan', '--engine', ''], ['native', 'vllm', 'auto'], []],
  [['verify', ''], ['folder'], ['notes.yaml']],
  [['id', '--shard-config', ''], ['notes.yaml'], []],
  [['completion', ''], ['bash', 'zsh', 'fish'], []],
  [['help', 'ca'], ['cancel'], ['id']],
];

describe('completion', () => {
  it('knows every command and every flag that the help shows', () => {
    const commands = allWords(words).map(({ path }) => path);
    expect(commands).toEqual(
      expect.arrayContaining(['', 'hf-model', 'shard', 'shard plan', 'worker', 'completion', 'help'])
    );
    const flags = allWords(words)
      .find(({ path }) => path === 'hf-model')
      ?.flags.flatMap(({ names }) => names);
    expect(flags).toEqual(
      expect.arrayContaining(['--revision', '-o', '--output', '--tensor-parallel-size', '-h', '--help'])
    );
    expect(flags).not.toContain('--no-wait');
  });

  it.runIf(shells.bash)('completes in bash', async () => {
    for (const [typed, some, none] of [...CASES, EQUALS]) {
      const list = typed.map((word) => `'${word}'`).join(' ');
      const ask = `COMP_WORDS=(model-prefetch ${list}); COMP_CWORD=${String(typed.length)}
        _model_prefetch; printf '%s\\n' "\${COMPREPLY[@]}"`;
      const { stdout } = await run('bash', ['--norc', '-c', `${bashScript(words)}\n${ask}`], { cwd: await folder() });
      expectAmong(stdout, { typed, some, none });
    }
  });

  it.runIf(shells.zsh)('is a script that zsh can read', async () => {
    const file = join(await folder(), '_model-prefetch');
    await writeFile(file, zshScript(words));
    expect(await run('zsh', ['-fn', file])).toEqual({ stdout: '', stderr: '' });
  });

  it.runIf(shells.fish)('completes in fish', async () => {
    for (const [typed, some, none] of CASES) {
      const line = ['model-prefetch', ...typed].join(' ');
      const ask = `complete -C '${line}'`;
      const { stdout } = await run('fish', ['--no-config', '-c', `${fishScript(words)}\n${ask}`], {
        cwd: await folder(),
      });
      expectAmong(stdout, { typed, some, none });
    }
  });
});

/** Bash alone makes three words of it. */
const EQUALS = [['plan', '--weights', '=', 'm'], ['mistral'], ['hf']] as const;

function expectAmong(
  stdout: string,
  {
    typed,
    some,
    none,
  }: { readonly typed: readonly string[]; readonly some: readonly string[]; readonly none: readonly string[] }
): void {
  const given = stdout.split('\n').map((line) => line.replace(/\t.*$/, '').replace(/\/$/, ''));
  expect(given, typed.join(' ')).toEqual(expect.arrayContaining([...some]));
  for (const word of none) expect(given, typed.join(' ')).not.toContain(word);
}

async function folder(): Promise<string> {
  const path = await tmpFolder();
  await mkdir(join(path, 'folder'));
  await writeFile(join(path, 'notes.yaml'), '');
  return path;
}

async function has(shell: string): Promise<boolean> {
  return run(shell, ['--version']).then(
    () => true,
    () => false
  );
}
