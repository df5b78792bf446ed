/** A dev Hub in a process of its own. Prints its URL as JSON when it is ready; ends with its standard input. */
import { startDevHub } from '../../src/dev-hub/index.js';

const [files = '4', bytes = '268435456'] = process.argv.slice(2);
const names = Array.from({ length: Number(files) }, (_, index) => `model-${String(index + 1)}-of-${files}.safetensors`);
const hub = await startDevHub({
  repos: [
    {
      id: 'bench/model',
      commits: [{ files: Object.fromEntries(names.map((name) => [name, { size: Number(bytes), seed: name }])) }],
    },
  ],
});
console.log(JSON.stringify({ url: hub.url }));
process.stdin.resume().on('end', () => {
  void hub.close();
});
