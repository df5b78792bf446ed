import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdir, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';

import { bytes } from '../../../src/storage/conformance/expectations.js';
import { openStore, type ObjectStore } from '../../../src/storage/index.js';
import { setEnvironment, withoutAwsEnvironment, withProfile } from '../../helpers/aws-environment.js';
import { describeWithS3, startVersitygw, type S3Server } from '../../helpers/s3-servers.js';
import { tmpFolder } from '../../helpers/tmp.js';

withoutAwsEnvironment();

/** Stands for STS, the portal of SSO and the agent of EKS. */
interface Authority {
  readonly url: string;
  /** Bodies of requests to STS, paths of all others. */
  readonly asked: string[];
  /** From now on it answers so; undefined for credentials. */
  refuse(answer: { readonly status: number; readonly code: string } | undefined): void;
  stop(): Promise<void>;
}

describeWithS3('credentials of the S3 store', () => {
  let server: S3Server;
  let authority: Authority;

  beforeAll(async () => {
    server = await startVersitygw();
    authority = await startAuthority(server);
  });
  afterAll(async () => {
    await authority.stop();
    await server.stop();
  });
  beforeEach(() => {
    setEnvironment({ AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL_S3: server.endpoint });
  });
  afterEach(() => {
    authority.refuse(undefined);
    authority.asked.length = 0;
  });

  const open = (): Promise<ObjectStore> => openStore(`s3://${server.bucket}/credentials`);
  const keys = (): string[] => [
    `aws_access_key_id = ${server.accessKey}`,
    `aws_secret_access_key = ${server.secretKey}`,
  ];

  async function useWebIdentity(): Promise<void> {
    const file = join(await tmpFolder(), 'token');
    await writeFile(file, 'the-token-of-a-pod');
    setEnvironment({
      AWS_WEB_IDENTITY_TOKEN_FILE: file,
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/models',
      AWS_ENDPOINT_URL_STS: authority.url,
    });
  }

  async function usePodIdentity(): Promise<void> {
    const file = join(await tmpFolder(), 'token');
    await writeFile(file, 'the-token-of-a-pod');
    setEnvironment({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `${authority.url}/v1/credentials`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: file,
    });
  }

  test('come with a web identity, as of EKS (IRSA)', async () => {
    await useWebIdentity();
    await roundTrip(await open());
    expect(authority.asked[0]).toContain('Action=AssumeRoleWithWebIdentity');
  });

  test('come from the agent of EKS pod identity', async () => {
    await usePodIdentity();
    await roundTrip(await open());
    expect(authority.asked).toEqual(['/v1/credentials the-token-of-a-pod']);
  });

  test('come with a role that is taken with another profile', async () => {
    setEnvironment({ AWS_ENDPOINT_URL_STS: authority.url });
    const role = ['role_arn = arn:aws:iam::123456789012:role/models', 'source_profile = base'];
    await withProfile([...role, '[profile base]', ...keys()], async () => {
      await roundTrip(await open());
      expect(authority.asked).toEqual([expect.stringContaining('Action=AssumeRole&')]);
    });
  });

  test('come with a role that is taken with the environment', async () => {
    setEnvironment({
      AWS_ENDPOINT_URL_STS: authority.url,
      AWS_ACCESS_KEY_ID: server.accessKey,
      AWS_SECRET_ACCESS_KEY: server.secretKey,
    });
    const role = ['role_arn = arn:aws:iam::123456789012:role/models', 'credential_source = Environment'];
    await withProfile(role, async () => {
      await roundTrip(await open());
      expect(authority.asked[0]).toContain('Action=AssumeRole&');
    });
  });

  test('come from a program', async () => {
    const said = { Version: 1, AccessKeyId: server.accessKey, SecretAccessKey: server.secretKey };
    const file = join(await tmpFolder(), 'said.json');
    await writeFile(file, JSON.stringify(said));
    await withProfile([`credential_process = cat ${file}`], async () => roundTrip(await open()));
  });

  test('come with a login of SSO', async () => {
    await useSso({ endsAt: Date.now() + 3_600_000 }, async () => {
      // They come with a session token, which no local store knows.
      await expect((await open()).get('a')).rejects.toMatchObject({ details: { reason: 'InvalidToken' } });
      expect(authority.asked).toEqual([expect.stringContaining('/federation/credentials')]);
    });
  });

  test('are not there when the login of SSO has ended, which a person has to renew', async () => {
    await useSso({ endsAt: Date.now() - 1_000 }, async () => {
      await expect(open()).rejects.toMatchObject({
        code: 'StoreCredentialsMissing',
        message: expect.stringContaining('aws sso login') as string,
      });
    });
  });

  test('are not there for a program that fails, whose command line nobody sees', async () => {
    await withProfile(['credential_process = false --secret a-secret-of-a-test'], async () => {
      const error = await open().catch(String);
      expect(error).toMatch(/^PrefetchError: StoreCredentialsMissing: .*credential_process/);
      expect(error).not.toContain('a-secret-of-a-test');
    });
  });

  test('are not there for a profile that does not exist', async () => {
    setEnvironment({ AWS_PROFILE: 'nobody' });
    await expect(open()).rejects.toThrow(/^StoreCredentialsMissing: .*AWS_PROFILE \(a profile that exists/);
  });

  test.each([
    ['AccessDenied', 403, 'StoreCredentialsMissing', /trust policy/],
    ['InvalidIdentityToken', 400, 'StoreCredentialsMissing', /AWS_WEB_IDENTITY_TOKEN_FILE/],
    ['ExpiredTokenException', 400, 'StoreUnavailable', /renew the web identity file/],
    ['ServiceUnavailable', 503, 'StoreUnavailable', /may pass/],
  ])('are told as refused by STS with %s, not by the store', async (code, status, expected, advice) => {
    setEnvironment({ AWS_MAX_ATTEMPTS: '1' });
    await useWebIdentity();
    authority.refuse({ status, code });
    const error: unknown = await open().catch((found: unknown) => found);
    expect(error).toMatchObject({ code: expected, message: expect.stringMatching(advice) as string });
    expect(String(error)).not.toContain('bucket');
    expect(String(error)).not.toContain('the-token-of-a-pod');
  });

  test('are not there without the file of the web identity', async () => {
    await useWebIdentity();
    setEnvironment({ AWS_WEB_IDENTITY_TOKEN_FILE: '/nowhere/token' });
    await expect(open()).rejects.toThrow(/^StoreCredentialsMissing: .*AWS_WEB_IDENTITY_TOKEN_FILE/);
  });

  test('are waited for while the agent of pod identity is unwell', async () => {
    await usePodIdentity();
    authority.refuse({ status: 503, code: 'Unwell' });
    await expect(open()).rejects.toMatchObject({ code: 'StoreUnavailable', permanent: false });
  });

  /** The home folder of the SDK is that of HOME. */
  async function useSso({ endsAt }: { readonly endsAt: number }, action: () => Promise<void>): Promise<void> {
    const home = await tmpFolder();
    const cache = join(home, '.aws', 'sso', 'cache');
    await mkdir(cache, { recursive: true });
    const token = { accessToken: 'the-token-of-a-person', expiresAt: new Date(endsAt).toISOString() };
    await writeFile(join(cache, `${createHash('sha1').update('work').digest('hex')}.json`), JSON.stringify(token));
    setEnvironment({ HOME: home, AWS_ENDPOINT_URL_SSO: authority.url });
    const profile = ['sso_session = work', 'sso_account_id = 123456789012', 'sso_role_name = models'];
    const session = ['[sso-session work]', 'sso_start_url = https://sso.test/start', 'sso_region = us-east-1'];
    await withProfile([...profile, ...session], action);
  }
});

async function roundTrip(store: ObjectStore): Promise<void> {
  await store.put('a', bytes('x'));
  expect(await store.get('a')).toEqual(bytes('x'));
  await store.close();
}

async function startAuthority({ accessKey, secretKey }: S3Server): Promise<Authority> {
  const asked: string[] = [];
  let refusal: { readonly status: number; readonly code: string } | undefined;
  const server = createServer((incoming, outgoing) => {
    void read(incoming).then((body) => {
      const isSts = incoming.method === 'POST';
      asked.push(isSts ? body : `${incoming.url ?? ''} ${incoming.headers.authorization ?? ''}`.trim());
      if (refusal !== undefined) {
        const error = `<ErrorResponse><Error><Code>${refusal.code}</Code><Message>no</Message></Error></ErrorResponse>`;
        outgoing.writeHead(refusal.status, { 'content-type': 'text/xml' }).end(error);
        return;
      }
      outgoing.end(isSts ? stsAnswer(body) : jsonAnswer(incoming.url ?? ''));
    });
  });

  const expiration = new Date(Date.now() + 3_600_000);

  function stsAnswer(body: string): string {
    const action = /Action=(\w+)/.exec(body)?.[1] ?? '';
    const given = `<AccessKeyId>${accessKey}</AccessKeyId><SecretAccessKey>${secretKey}</SecretAccessKey>`;
    const rest = `<SessionToken></SessionToken><Expiration>${expiration.toISOString()}</Expiration>`;
    return `<${action}Response><${action}Result><Credentials>${given}${rest}</Credentials></${action}Result></${action}Response>`;
  }

  function jsonAnswer(url: string): string {
    const role = { accessKeyId: accessKey, secretAccessKey: secretKey, sessionToken: 's', expiration: +expiration };
    const agent = { AccessKeyId: accessKey, SecretAccessKey: secretKey, Token: '', Expiration: expiration };
    return JSON.stringify(url.startsWith('/federation') ? { roleCredentials: role } : agent);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // a TCP server's address is never a string
  return {
    url: `http://127.0.0.1:${String(port)}`,
    asked,
    refuse: (answer) => {
      refusal = answer;
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function read(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
