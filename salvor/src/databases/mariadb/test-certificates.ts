/** Certificates for the tests of encrypted connections: an authority of our own, and what it vouches for. */
import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lib/run.ts';

export type TestAuthority = {
  readonly ca: string;
  make(name: string): Promise<{ readonly cert: string; readonly key: string }>;
};

/** Files in `directory`, which everybody may read, as the server runs as another user. */
export async function makeAuthority(directory: string, name: string): Promise<TestAuthority> {
  const at = (file: string): string => join(directory, `${name}-${file}`);
  const openssl = async (...args: readonly string[]): Promise<void> => void (await run('openssl', { args }));
  const NEW_KEY = ['req', '-newkey', 'rsa:2048', '-noenc', '-batch'];
  await openssl(
    ...NEW_KEY,
    '-x509',
    '-days',
    '2',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  );
  return {
    ca: at('ca.pem'),
    async make(subject) {
      const [cert, key] = [at(`${subject}.pem`), at(`${subject}.key`)];
      const names = 'subjectAltName=IP:127.0.0.1,DNS:localhost';
      const signed = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-keyout', key, '-out', cert];
      await openssl(...NEW_KEY, '-x509', '-days', '2', '-subj', `/CN=${subject}`, '-addext', names, ...signed);
      await chmod(key, 0o644);
      return { cert, key };
    },
  };
}
