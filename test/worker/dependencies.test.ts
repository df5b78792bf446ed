import { expect, test } from 'vitest';
import { readSettings } from '../../src/config/environment.js';
import { createDependencies } from '../../src/worker/dependencies.js';
import { tmpFolder } from '../helpers/tmp.js';

test('opens no store that this worker may not write to, whoever scheduled the activity', async () => {
  const folder = await tmpFolder();
  const settings = readSettings({
    HOME: folder,
    MODEL_PREFETCH_STORE: `${folder}/store`,
    MODEL_PREFETCH_SHARED_FILES: 'true',
  });
  const dependencies = createDependencies(settings, { embedded: false, tool: { name: 'test', version: '0' } });
  try {
    for (const root of [`file://${folder}/`, `file://${folder}/store/../other/`, 's3://bucket/']) {
      await expect(dependencies.openStore(root), root).rejects.toMatchObject({ code: 'DestinationNotAllowed' });
    }
    expect((await dependencies.openStore(`file://${folder}/store/team/`)).root).toBe(`file://${folder}/store/team/`);
  } finally {
    await dependencies.close();
  }
});
