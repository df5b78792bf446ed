/** Moves the benchmark's repo with the engine and prints what it took: only the transfer itself is timed. */
import { completeFiles } from '../../src/hub/complete-files.js';
import type { ListedFile } from '../../src/hub/hub.js';
import { openHub } from '../../src/hub/open-hub.js';
import { openSource } from '../../src/hub/hub-source.js';
import { openStore } from '../../src/storage/index.js';
import { createEngine } from '../../src/transfer/engine.js';
import { readPolicy } from '../../src/transfer/budget/policies.js';
import { MiB } from '../../src/core/units.js';

const [endpoint = '', root = '', lanes = '8', partMiB = '8', memoryMiB = '256'] = process.argv.slice(2);
const hub = openHub({ endpoint });
const store = await openStore(root);
const engine = createEngine({
  partSizeBytes: Number(partMiB) * MiB,
  lanes: Number(lanes),
  memoryBytes: Number(memoryMiB) * MiB,
});
const { signal } = new AbortController();
const repo = 'bench/model';
const began = performance.now();
const cpuBefore = process.cpuUsage();
const { commit } = await hub.resolveRevision(repo, 'main');
await store.capabilities();
const moves: Promise<{ readonly size: number }>[] = [];
const listed: ListedFile[] = [];
for await (const file of hub.listFiles(repo, commit)) listed.push(file);
for (const file of await completeFiles(hub, { repo, commit }, { files: listed })) {
  const source = openSource(hub, { ...file, repo, commit }, { policy: readPolicy(engine.policies) });
  moves.push(engine.transferFile({ source, store, key: file.path, trust: 'replace' }, { signal }));
}
const bytes = (await Promise.all(moves)).reduce((sum, { size }) => sum + size, 0);
const cpu = process.cpuUsage(cpuBefore);
console.log(
  JSON.stringify({
    ms: performance.now() - began,
    bytes,
    cpuMs: (cpu.user + cpu.system) / 1000,
    maxRssMiB: process.resourceUsage().maxRSS / 1024,
    slabPeakMiB: engine.memory.peakBytes / MiB,
  })
);
await store.close();
process.exit();
