/** `npm run docs:errors`: writes `docs/errors.md` anew. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { renderErrorsDoc } from './errors-doc.ts';

const docs = join(import.meta.dirname, '../docs');
mkdirSync(docs, { recursive: true });
writeFileSync(join(docs, 'errors.md'), renderErrorsDoc());
