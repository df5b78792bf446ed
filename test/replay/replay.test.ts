import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { beforeAll, describe, expect, test } from 'vitest';

/** Histories of runs of earlier versions, as `temporal workflow show --output json` wrote them. Never record one again. */
const folder = fileURLToPath(new URL('./histories/', import.meta.url));
const histories = readdirSync(folder).filter((name) => name.endsWith('.json'));

let workflowBundle: WorkflowBundleWithSourceMap;

beforeAll(async () => {
  workflowBundle = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../../src/workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('ERROR'),
  });
});

describe('a kept history', () => {
  test('is there for each main path', () => {
    expect(histories.length).toBeGreaterThan(0);
  });

  test.each(histories)('%s replays with the workflow of today', async (name) => {
    const history: unknown = JSON.parse(readFileSync(`${folder}${name}`, 'utf8'));
    await Worker.runReplayHistory({ workflowBundle }, history);
  });

  test('fails to replay when a step is missing, so that a replay can fail at all', async () => {
    const [name = ''] = histories;
    const text = readFileSync(`${folder}${name}`, 'utf8').replaceAll('"authenticate"', '"authorise"');
    await expect(Worker.runReplayHistory({ workflowBundle }, JSON.parse(text))).rejects.toThrow(/[Nn]ondeterminism/);
  });
});
