import { embeddedStore, inheritedEnvironment, type Settings } from '../config/environment.js';
import { readLoginToken, readToken } from '../config/secrets.js';
import { openHub } from '../hub/open-hub.js';
import { withSecondTries } from '../hub/second-tries.js';
import type { ActivityDependencies } from '../steps/dependencies.js';
import { resolveDestination, type DestinationPolicy } from '../steps/destination.js';
import type { ObjectStore } from '../storage/object-store.js';
import { openStore, type StoreOptions } from '../storage/open-store.js';
import { createEngine } from '../transfer/engine.js';

/** What activities work with, for one worker process. */
export interface WorkerDependencies extends ActivityDependencies {
  /** Closes the stores that were opened. */
  close(): Promise<void>;
}

/** Makes what the activities need, once per process, from the settings. */
export function createDependencies(
  settings: Settings,
  options: { readonly embedded: boolean; readonly tool: ActivityDependencies['tool']; readonly gpu?: string }
): WorkerDependencies {
  const stores = new Map<string, Promise<ObjectStore>>();
  const destinations: DestinationPolicy = {
    store: options.embedded ? embeddedStore(settings) : settings.store,
    allowedRoots: settings.allowedRoots,
    anywhere: options.embedded,
    files: options.embedded || settings.fileStoreIsShared,
  };
  return {
    hub: withSecondTries(
      openHub({ endpoint: settings.hubEndpoint, userAgent: `${options.tool.name}/${options.tool.version}` })
    ),
    // Checked here too: an activity may be scheduled with a destination that no `authenticate` of this package saw.
    openStore: async (root) => openOnce(stores, resolveDestination(root, destinations), { s3: settings.s3 ?? {} }),
    engine: createEngine({
      partSizeBytes: settings.partSizeBytes,
      lanes: settings.lanes,
      memoryBytes: settings.memoryBytes,
    }),
    readToken: async (key) =>
      (await readToken(key, settings)) ?? (options.embedded ? await readLoginToken() : undefined),
    destinations,
    transferMode: settings.transferMode,
    scratchFolder: settings.scratchFolder,
    vllm: {
      python: settings.python,
      silenceMs: settings.vllmSilenceMs,
      environment: inheritedEnvironment(),
      ...(options.gpu === undefined ? {} : { gpu: options.gpu }),
    },
    tool: options.tool,
    close: async () => {
      const opened = await Promise.allSettled(stores.values());
      for (const store of opened) if (store.status === 'fulfilled') await store.value.close();
    },
  };
}

/** A store that could not be opened is not remembered: the next attempt may have better luck. */
async function openOnce(
  stores: Map<string, Promise<ObjectStore>>,
  root: string,
  options: StoreOptions
): Promise<ObjectStore> {
  const opening = stores.get(root) ?? openStore(root, options);
  stores.set(root, opening);
  try {
    return await opening;
  } catch (error) {
    stores.delete(root);
    throw error;
  }
}
