import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

/** A certificate for names under `.test` and for loopback, of an authority that nobody knows. */
export async function makeCertificate(
  folder: string,
  names = 'DNS:hub.test,DNS:store.test,IP:127.0.0.1'
): Promise<Certificate & { readonly authorityFile: string }> {
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder });
  const newKey = (name: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', name];
  await openssl(
    'req',
    '-x509',
    ...newKey('ca.key'),
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=Authority of a test'
  );
  await openssl('req', ...newKey('key.pem'), '-out', 'request.pem', '-subj', '/CN=server of a test');
  await writeFile(at('names'), `subjectAltName=${names}`);
  const signed = ['-in', 'request.pem', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'names'];
  await openssl('x509', '-req', ...signed, '-days', '2', '-out', 'cert.pem');
  const [key, cert] = await Promise.all([readFile(at('key.pem'), 'utf8'), readFile(at('cert.pem'), 'utf8')]);
  return { key, cert, authorityFile: at('ca.pem') };
}
