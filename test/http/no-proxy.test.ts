import { expect, test } from 'vitest';
import { readNoProxy } from '../../src/http/no-proxy.js';

const direct: [list: string, url: string][] = [
  ['*', 'https://huggingface.co/'],
  ['huggingface.co', 'https://huggingface.co/'],
  ['huggingface.co', 'https://cdn-lfs.huggingface.co/x'],
  ['.huggingface.co', 'https://huggingface.co/'],
  ['.huggingface.co', 'https://cdn-lfs.huggingface.co/x'],
  ['*.huggingface.co', 'https://cdn-lfs.huggingface.co/x'],
  ['HuggingFace.CO', 'https://huggingface.co/'],
  ['a.example, huggingface.co', 'https://huggingface.co/'],
  ['a.example huggingface.co', 'https://huggingface.co/'],
  ['a.example,,huggingface.co,', 'https://huggingface.co/'],
  ['huggingface.co.', 'https://huggingface.co/'],
  ['huggingface.co', 'https://huggingface.co./'],
  ['minio:9000', 'http://minio:9000/bucket'],
  ['hub.example:443', 'https://hub.example/'],
  ['hub.example:80', 'http://hub.example/'],
  ['svc.cluster.local:9000', 'http://minio.svc.cluster.local:9000/'],
  ['10.0.0.7', 'http://10.0.0.7:9000/'],
  ['10.0.0.7:9000', 'http://10.0.0.7:9000/'],
  ['10.0.0.0/8', 'http://10.20.30.40:9000/'],
  ['169.254.0.0/16', 'http://169.254.169.254/latest'],
  ['127.0.0.1,localhost', 'http://localhost:8080/'],
  ['::1', 'http://[::1]:8080/'],
  ['[::1]', 'http://[::1]:8080/'],
  ['[::1]:8080', 'http://[::1]:8080/'],
  ['fd00::/8', 'http://[fd12:3456::1]/'],
  ['0:0:0:0:0:0:0:1', 'http://[::1]/'],
];

test.each(direct)('NO_PROXY=%s lets %s pass without a proxy', (list, url) => {
  expect(readNoProxy(list)(new URL(url))).toBe(true);
});

const proxied: [list: string, url: string][] = [
  ['', 'https://huggingface.co/'],
  [' , ', 'https://huggingface.co/'],
  ['face.co', 'https://huggingface.co/'],
  ['huggingface.co', 'https://huggingface.co.evil.example/'],
  ['www.huggingface.co', 'https://huggingface.co/'],
  ['minio:9001', 'http://minio:9000/bucket'],
  ['hub.example:80', 'https://hub.example/'],
  ['10.0.0.0/8', 'http://11.0.0.1/'],
  ['10.0.0.0/8', 'http://10.example/'],
  ['10.0.0.0/99', 'http://10.0.0.1/'],
  ['10.0.0.0/x', 'http://10.0.0.1/'],
  ['::1', 'http://127.0.0.1/'],
  ['127.0.0.1', 'http://127.0.0.2/'],
  ['localhost', 'http://127.0.0.1/'],
];

test.each(proxied)('NO_PROXY=%s leaves %s to the proxy', (list, url) => {
  expect(readNoProxy(list)(new URL(url))).toBe(false);
});
