import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDevHub, type DevHub } from '../../src/dev-hub/index.js';
import { makeCertificate, type Certificate } from '../helpers/certificates.js';
import { runCli, type CliResult } from '../helpers/cli.js';
import { smallRepo } from '../helpers/models.js';
import { startProxy, type ProxyServer } from '../helpers/proxy-server.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { startTlsFront, type TlsFront } from '../helpers/tls-front.js';
import { createTmpFolder, removeFolder } from '../helpers/tmp.js';
import { temporalCliPath } from '../helpers/temporal.js';

const user = 'someone@corp';
const password = 'w0rd:of/pass%!';
const forms = ['w0rd:of', 'w0rd%3Aof', Buffer.from(`${user}:${password}`).toString('base64').slice(16, 36)];

describeWithS3('a machine that has no way out but a proxy', () => {
  let folder: string;
  let certificate: Certificate & { readonly authorityFile: string };
  let hub: DevHub;
  let store: S3Server;
  let fronts: Record<'hub' | 'cdn' | 'store', TlsFront>;

  beforeAll(async () => {
    folder = await createTmpFolder();
    [certificate, hub, store] = await Promise.all([
      makeCertificate(folder),
      startDevHub({ repos: [smallRepo('org/model')] }),
      startVersitygw(),
    ]);
    const cdn = await startTlsFront(hub.cdnUrl, { certificate });
    const toTls = (value: string) =>
      value.replace(/^http:(\/\/[^/]+):(\d+)/, (_, host: string, port: string) =>
        port === new URL(hub.cdnUrl).port ? `https:${host}:${String(cdn.port)}` : `https:${host}:${port}`
      );
    fronts = {
      hub: await startTlsFront(hub.url, { certificate, rewrite: toTls }),
      cdn,
      store: await startTlsFront(store.endpoint, { certificate }),
    };
  });

  afterAll(async () => {
    await Promise.all([...Object.values(fronts), hub].map((server) => server.close()));
    await store.stop();
    await removeFolder(folder);
  });

  /** Runs a prefetch to its end, with these variables and nobody else's. */
  async function prefetch(name: string, env: Readonly<Record<string, string>>): Promise<CliResult & { texts: string }> {
    const home = join(folder, name);
    const result = await runCli(['hf-model', 'org/model', '--output', 'json', '--verbose'], {
      ...store.env,
      HOME: home,
      MODEL_PREFETCH_HOME: join(home, 'own'),
      MODEL_PREFETCH_STORE: `s3://${store.bucket}/${name}`,
      MODEL_PREFETCH_PART_SIZE: '5MiB',
      TEMPORAL_CLI_PATH: await temporalCliPath(),
      // Of newer Node: its own agents would go by the proxy a second time.
      NODE_USE_ENV_PROXY: '1',
      ...env,
    });
    const kept = await readdir(home, { recursive: true, withFileTypes: true });
    const files = kept.filter((entry) => entry.isFile());
    const contents = await Promise.all(files.map((file) => readFile(join(file.parentPath, file.name), 'latin1')));
    expect(contents.length).toBeGreaterThan(0);
    return { ...result, texts: [result.stdout, result.stderr, ...contents].join('\n') };
  }

  async function through(start: Promise<ProxyServer>, work: (proxy: ProxyServer) => Promise<void>): Promise<void> {
    const proxy = await start;
    try {
      await work(proxy);
    } finally {
      await proxy.close();
    }
  }

  test('brings a model from the Hub and its CDN into a store, all three without TLS', async () => {
    await through(startProxy({ user, password }), async (proxy) => {
      const result = await prefetch('plain', {
        http_proxy: proxy.url,
        https_proxy: 'http://127.0.0.1:1',
        HF_ENDPOINT: hub.url.replace('127.0.0.1', 'hub.test'),
        AWS_ENDPOINT_URL_S3: store.endpoint.replace('127.0.0.1', 'store.test'),
      });
      expect(result.code, result.stderr).toBe(0);
      const hosts = new Set(proxy.asked.map((line) => line.replace(/^(?:GET|HEAD|PUT|POST|DELETE) /, '')));
      expect([...hosts].sort()).toEqual(
        [`hub.test:${new URL(hub.url).port}`, `hub.test:${new URL(hub.cdnUrl).port}`]
          .concat(`store.test:${new URL(store.endpoint).port}`)
          .sort()
      );
      expect(forms.filter((form) => result.texts.includes(form))).toEqual([]);
    });
  });

  test('brings a model over TLS, with an authority of its own in the tunnel and at the proxy', async () => {
    await through(startProxy({ user, password, certificate }), async (proxy) => {
      const { hub: front, cdn, store: s3 } = fronts;
      const result = await prefetch('secure', {
        HTTPS_PROXY: proxy.url,
        HTTP_PROXY: 'http://127.0.0.1:1',
        NODE_EXTRA_CA_CERTS: certificate.authorityFile,
        HF_ENDPOINT: `https://hub.test:${String(front.port)}`,
        AWS_ENDPOINT_URL_S3: `https://store.test:${String(s3.port)}`,
      });
      expect(result.code, result.stderr).toBe(0);
      expect([...new Set(proxy.asked)].sort()).toEqual(
        [`hub.test:${String(front.port)}`, `hub.test:${String(cdn.port)}`, `store.test:${String(s3.port)}`]
          .map((host) => `CONNECT ${host}`)
          .sort()
      );
      expect(forms.filter((form) => result.texts.includes(form))).toEqual([]);
    });
  });

  test('goes to a store that NO_PROXY names without it, and checks the certificate of an address in a tunnel', async () => {
    await through(startProxy({ user, password }), async (proxy) => {
      const { hub: front, cdn } = fronts;
      const result = await prefetch('beside', {
        // Under another name than the Hub: the certificate is the Hub's.
        ALL_PROXY: proxy.url.replace('127.0.0.1', 'localhost'),
        NO_PROXY: `127.0.0.0/8:${new URL(store.endpoint).port},.example`,
        no_proxy: `127.0.0.1:${new URL(store.endpoint).port}`,
        NODE_EXTRA_CA_CERTS: certificate.authorityFile,
        HF_ENDPOINT: `https://127.0.0.1:${String(front.port)}`,
      });
      expect(result.code, result.stderr).toBe(0);
      expect([...new Set(proxy.asked)].sort()).toEqual(
        [front, cdn].map(({ port }) => `CONNECT 127.0.0.1:${String(port)}`).sort()
      );
    });
  });

  test('refuses a certificate of another name in the tunnel', async () => {
    await through(startProxy(), async (proxy) => {
      const { code, stderr } = await runCli(['plan', 'org/model'], {
        HTTPS_PROXY: proxy.url,
        NODE_EXTRA_CA_CERTS: certificate.authorityFile,
        HF_ENDPOINT: `https://other.test:${String(fronts.hub.port)}`,
        MODEL_PREFETCH_HOME: join(folder, 'other'),
      });
      expect(code).toBe(1);
      expect(stderr).toContain('ERR_TLS_CERT_ALTNAME_INVALID');
    });
  });

  test('ends with one line where the proxy does not know the user', async () => {
    await through(startProxy({ user, password: 'another' }), async (proxy) => {
      const result = await prefetch('refused', {
        HTTPS_PROXY: proxy.url.replace('another', encodeURIComponent(password)),
        NO_PROXY: '127.0.0.1',
        HF_ENDPOINT: 'https://hub.test',
      });
      expect(result.code).toBe(1);
      expect(result.stderr).toContain(`ProxyRefused: The proxy ${proxy.address} (HTTPS_PROXY) asks for a user`);
      expect(proxy.asked.length).toBeLessThan(4);
      expect(forms.filter((form) => result.texts.includes(form))).toEqual([]);
    });
  });
});
