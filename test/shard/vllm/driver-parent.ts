// A process of its own that runs the driver, to be killed: node --import tsx driver-parent.ts JOB
import { runDriver, type DriverJob } from '../../../src/shard/vllm/driver/run-driver.js';

const job = JSON.parse(process.argv[2] ?? '') as DriverJob;
await runDriver(job, { signal: new AbortController().signal });
