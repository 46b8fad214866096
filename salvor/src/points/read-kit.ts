import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { SalvorError } from '../errors.ts';
import { errnoOf } from '../lib/errno.ts';
import type { RecoveryKit } from './recovery-kit.ts';

const Place = z.object({
  copy: z.enum(['local', 'remote']),
  url: z.string().min(1),
  login: z.object({ privateKey: z.string().min(1), hostKeys: z.array(z.string()) }).nullable(),
});

const Kit = z.object({
  host: z.string(),
  date: z.iso.datetime().transform((text) => new Date(text)),
  recoveryKey: z.string().regex(/^[0-9a-f]{64}$/),
  places: z.array(Place).min(1),
  repositories: z.array(z.object({ account: z.string().min(1), url: z.string(), id: z.string() })),
});

/** The kit out of its page, or out of the data in it alone. `name` is for the error. Throws `kit-unreadable`. */
export function readKit(text: string, name: string): RecoveryKit {
  const json = /<script type="application\/json" id="kit">([^]*?)<\/script>/.exec(text)?.[1] ?? text;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new SalvorError('kit-unreadable', { kit: name, why: 'it is neither the page nor the data in it' }, { cause });
  }
  const parsed = Kit.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new SalvorError('kit-unreadable', { kit: name, why: `${issue?.path.join('.')}: ${issue?.message}` });
}

/** A key as a person types it off a page: blanks between its groups, letters of either case. Null where it is none. */
function readTypedKey(text: string): string | null {
  const key = text.replaceAll(/\s+/g, '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(key) ? key : null;
}

/** What a person has typed off the page. */
export type TypedKit = {
  readonly url: string;
  readonly recoveryKey: string;
  readonly login: { readonly keyFile: string; readonly hostKeysFile: string } | null;
};

/** A kit of one place, with the log-in out of the files that were named. Throws `kit-unreadable`. */
export function readTypedKit({ url, recoveryKey, login }: TypedKit): RecoveryKit {
  const refuse = (why: string): never => {
    throw new SalvorError('kit-unreadable', { kit: 'what was typed', why });
  };
  const key = readTypedKey(recoveryKey) ?? refuse('the recovery key has 64 digits and letters from a to f');
  const read = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      return refuse(`${file}: ${errnoOf(error) ?? 'can not be read'}`);
    }
  };
  const copy = url.startsWith('/') ? 'local' : 'remote';
  const place = {
    copy,
    url: url.replace(/\/+$/, ''),
    login:
      login === null
        ? null
        : {
            privateKey: read(login.keyFile),
            hostKeys: read(login.hostKeysFile)
              .split('\n')
              .filter((line) => /^[^#\s]/.test(line)),
          },
  } as const;
  return { host: 'the lost host', date: new Date(0), recoveryKey: key, places: [place], repositories: [] };
}
