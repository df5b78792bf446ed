import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { RoundRecord } from '../../torture/round/record.js';
import { describeWithS3 } from '../helpers/s3-servers.js';
import { temporalCliPath } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

const script = fileURLToPath(new URL('../../torture/torture.ts', import.meta.url));

describeWithS3('kills, late writers and lying servers', () => {
  test(
    'no reader of a published Dir sees a wrong or a missing object, and every Dir is there in the end',
    { timeout: 900_000 },
    async () => {
      const report = join(await tmpFolder(), 'report.jsonl');
      const { code, output } = await torture(['--short', '--report', report]);
      expect(code, output).toBe(0);
      const text = await readFile(report, 'utf8');
      const records = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as RoundRecord]));
      // A run that looked at nothing would find nothing.
      expect(new Set(records.map(({ store }) => store)).size).toBe(4);
      expect(records.reduce((sum, { checks }) => sum + checks, 0)).toBeGreaterThan(records.length);
      expect(records.reduce((sum, { kills, stops, terms }) => sum + kills + stops + terms, 0)).toBeGreaterThan(0);
    }
  );
});

async function torture(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
    env: { ...process.env, TEMPORAL_CLI_PATH: await temporalCliPath() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (text: string) => (output += text);
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
}
