import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, test } from 'vitest';

import { describeObjectStore } from '../../../src/storage/conformance.js';
import { openStore } from '../../../src/storage/index.js';

describeObjectStore(
  'the local store',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'prefetch local-'));
    const root = pathToFileURL(folder).href;
    return {
      store: await openStore(root),
      reopen: () => openStore(root),
      cleanup: () => rm(folder, { recursive: true, force: true }),
    };
  },
  { describe, test }
);
