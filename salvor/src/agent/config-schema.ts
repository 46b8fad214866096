/** The JSON schema of salvor.yaml, for editors: its rules are the ones that the reader keeps, from the same table of settings. */
import { type JsonSchema, policySchema } from '../policies/policy-schema.ts';

export const SCHEMA_FILE = 'salvor.schema.json';

const PATH: JsonSchema = { type: 'string', minLength: 1 };

function section(properties: Readonly<Record<string, JsonSchema>>, description = ''): JsonSchema {
  return { type: 'object', additionalProperties: false, properties, ...(description === '' ? {} : { description }) };
}

function named(each: JsonSchema, description: string): JsonSchema {
  return { type: 'object', additionalProperties: each, description };
}

/** Draft 2020-12, of the whole file. */
export function configSchema(): JsonSchema {
  const policy: JsonSchema = { $ref: '#/$defs/policy' };
  const database: JsonSchema = { $ref: '#/$defs/database' };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'salvor.yaml',
    ...section({
      homes: {
        type: ['array', 'null'],
        items: PATH,
        description: 'The homes of the accounts; found in the usual places where none is named.',
      },
      state: { ...PATH, description: "The agent's store, keys and journals. Default: /var/lib/salvor." },
      local: {
        ...PATH,
        description:
          'The directory of the local repositories, one an account. Default: /var/backups/salvor/repositories.',
      },
      thirdCopy: {
        ...PATH,
        description: 'The directory of the compressed dumps. Default: sql beside the local repositories.',
      },
      remote: {
        description: 'A second repository of each account: a directory on another disk, or sftp:user@host:/path.',
        anyOf: [PATH, { ...section({ url: PATH, identityFile: PATH, knownHosts: PATH }), required: ['url'] }],
      },
      staging: {
        ...PATH,
        description: 'Where scratch trees are built; by default .salvor on the file system of each site.',
      },
      mariadb: section(
        { socket: PATH, defaultsFile: PATH },
        "The socket that localhost means, and the option file with the administrator's log-in.",
      ),
      policy,
      accounts: named(section({ policy }), 'What differs for an account, by its name.'),
      sites: named(
        section({ database, databases: { type: 'array', items: database }, policy }),
        'What differs for a site, by URI or ACCOUNT/URI.',
      ),
    }),
    $defs: {
      policy: policySchema(),
      database: {
        ...section({
          name: PATH,
          user: PATH,
          password: { type: 'string' },
          host: PATH,
          port: { type: 'integer', minimum: 1, maximum: 65_535 },
          socket: PATH,
          prefix: { type: 'string' },
        }),
        required: ['name'],
        description: "One database of a site, where the site's own settings do not say it.",
      },
    },
  };
}
