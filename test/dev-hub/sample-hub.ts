import { expect, onTestFinished } from 'vitest';
import { startDevHub, type DevHub, type DevHubOptions, type DevRepo } from '../../src/dev-hub/index.js';
import { hubRequest, type HubAsk } from './hub-request.js';

/** The one large file. */
export const weights = { size: 2_500_000, seed: 'weights' };
/** Files with every kind of name and size. */
export const files = {
  'README.md': text('hello\n'),
  'a/b/c.txt': text('deep'),
  'a/small.safetensors': text('tiny'),
  'a b#c%d.txt': text('odd'),
  'empty.txt': text(''),
  'model.safetensors': weights,
};
/** One repo of each kind. */
export const repos: readonly DevRepo[] = [
  { id: 'o/m', commits: [{ files: { 'README.md': text('old') } }, { files }], tags: { v1: 0 } },
  { id: 'o/gated', gated: true, commits: [{ files }] },
  { id: 'o/private', private: true, commits: [{ files }] },
  { id: 'o/disabled', disabled: true, commits: [{ files }] },
];
const tokens = { hf_all: { name: 'all' }, hf_none: { name: 'none', repos: [] } };

let hub: DevHub | undefined;

/** Starts a Hub with the sample repos for the running test, which `ask` and the others below then talk to. */
export async function start(options: Partial<DevHubOptions> = {}): Promise<DevHub> {
  const started = await startDevHub({ repos, tokens, ...options });
  hub = started;
  onTestFinished(() => started.close());
  return started;
}

/** Asks the Hub for a path exactly as it is written. */
export function ask(path: string, options?: HubAsk) {
  return hubRequest(hub?.url ?? '', path, options);
}

/** Status and code of an answer that has to be an error. */
export async function refusal(path: string, options?: HubAsk) {
  const { status, headers, json } = await ask(encodeURI(decodeURI(path)), options);
  expect(json()).toEqual({ error: expect.any(String) as string });
  return { status, code: headers['x-error-code'] };
}

/** Paths of a listing. */
export async function paths(path: string): Promise<readonly string[]> {
  return ((await ask(path)).json() as { path: string }[]).map((entry) => entry.path);
}

function text(content: string) {
  return { bytes: Buffer.from(content) };
}
