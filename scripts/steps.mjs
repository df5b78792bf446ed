import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Root of the repository: every command runs there. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs one step of a script and prints one line about it; the output of a command is shown when it fails.
 * @param {string} title - what the step does
 * @param {() => Promise<string | void>} work - its result is added to the line
 * @returns {Promise<boolean>} whether it went well
 */
export async function step(title, work) {
  const start = Date.now();
  try {
    const note = await work();
    console.log(`ok    ${title}${note ? `: ${note}` : ''} (${seconds(start)})`);
    return true;
  } catch (error) {
    console.log(`FAIL  ${title} (${seconds(start)})`);
    console.log(indent(error instanceof Error ? error.message : String(error)));
    return false;
  }
}

/**
 * Runs a program to its end without a shell and without standard input.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, show?: boolean }} [options] - `show` lets its output through as it comes
 * @returns {Promise<string>} what it printed; rejects with that when it fails
 */
export async function run(program, args, { env = {}, show = false } = {}) {
  const child = spawn(program, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
  });
  const chunks = [];
  child.stdout?.on('data', (chunk) => chunks.push(chunk));
  child.stderr?.on('data', (chunk) => chunks.push(chunk));
  const problem = await new Promise((resolve) => {
    child.once('error', (error) => resolve(`${program} could not be started: ${error.message}`));
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : `${[program, ...args].join(' ')} ended with ${signal ?? `code ${code}`}`);
    });
  });
  const output = chunks.join('').trimEnd();
  if (problem !== undefined) throw new Error([output, problem].filter((text) => text !== '').join('\n'));
  return output;
}

/** Runs a program that a package in node_modules brings. */
export function runBin(name, args, options) {
  return run(process.execPath, [`${root}node_modules/.bin/${name}`, ...args], options);
}

function seconds(start) {
  return `${((Date.now() - start) / 1000).toFixed(1)} s`;
}

function indent(text) {
  return text.replaceAll(/^/gm, '      ');
}
