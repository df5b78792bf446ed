import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { workflowSource } from '../../src/worker/workflow-source.js';
import { tmpFolder } from '../helpers/tmp.js';

const { version } = createRequire(import.meta.url)('@temporalio/worker/package.json') as { version: string };

test('takes the bundle that was made for the installed SDK', async () => {
  const { folder, url } = await compiled({ sdkVersion: version });
  expect(workflowSource(url)).toEqual({
    workflowBundle: { codePath: join(folder, 'workflow-bundle/workflow-bundle.js') },
  });
});

test.each([{ sdkVersion: '1.23.9' }, {}, { sdkVersion: 1 }])(
  'has the worker bundle the module at its start when the bundle is for %j',
  async (record) => {
    const { folder, url } = await compiled(record);
    expect(workflowSource(url)).toEqual({ workflowsPath: join(folder, 'workflows/index.js') });
  }
);

test('finds the module itself where nothing is compiled', () => {
  expect(workflowSource()).toMatchObject({
    workflowsPath: expect.stringMatching(/src\/workflows\/index\.ts$/) as string,
  });
});

async function compiled(record: object): Promise<{ folder: string; url: URL }> {
  const folder = await tmpFolder();
  await mkdir(join(folder, 'workflow-bundle'));
  await mkdir(join(folder, 'workflows'));
  await writeFile(join(folder, 'workflow-bundle/workflow-bundle.js'), '');
  await writeFile(join(folder, 'workflow-bundle/bundle.json'), JSON.stringify(record));
  await writeFile(join(folder, 'workflows/index.js'), '');
  return { folder, url: pathToFileURL(`${folder}/`) };
}
