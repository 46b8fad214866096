/**
 * `docs/errors.md` out of the catalogues: every code of the product and of the engine with what it says, what to do
 * and how it looks to a script. Written by `npm run docs:errors`; a test compares.
 */
import { ERROR_CODES } from '../contract/src/error-codes.ts';
import { ENGINE_ERRORS } from '../engine/src/errors.ts';
import { SALVOR_ERRORS } from '../salvor/src/errors.ts';

/** What the catalogues of all workspaces have in common. */
export type CatalogueEntry = {
  readonly message: (context: Readonly<Record<string, string>>) => string;
  readonly hint: string;
  readonly exit: 1 | 2;
  readonly retry: 'never' | 'later';
};
export type Catalogue = Readonly<Record<string, CatalogueEntry>>;

export const CATALOGUES: readonly { readonly title: string; readonly entries: Catalogue }[] = [
  { title: 'The product', entries: SALVOR_ERRORS },
  { title: 'The engine', entries: ENGINE_ERRORS },
];

/** The codes that cross the wire, with their status over HTTP. */
export const WIRE_CODES: Readonly<Record<string, { readonly http: number; readonly exit: 1 | 2 }>> = ERROR_CODES;

const HEAD = `# Errors

Generated from the catalogues in \`salvor/src/errors.ts\` and \`engine/src/errors.ts\` by \`npm run docs:errors\`: change
those, not this file.

A failure is printed as what happened and what to do next; with \`--json\` it is
\`{"error": {"code", "message", "hint", "context"}}\` on stdout. Scripts branch on the code, which keeps its meaning for
ever, never on the text. Words in ‹ › are filled in.

Exit codes of all commands: 0 done; 3 done with problems, each of them named; 1 failed; 2 wrong usage or configuration,
nothing was done. *Again* says whether the same command may succeed later without anything being mended.
`;

/** The whole text of the document. */
export function renderErrorsDoc(): string {
  const sections = CATALOGUES.map(({ title, entries }) => {
    const codes = Object.keys(entries).toSorted();
    return [`## ${title}`, ...codes.map((code) => renderEntry(code, entries[code] as CatalogueEntry))].join('\n\n');
  });
  return `${[HEAD.trimEnd(), ...sections].join('\n\n')}\n`;
}

function renderEntry(code: string, entry: CatalogueEntry): string {
  const http = WIRE_CODES[code]?.http;
  const facts = [
    `exit ${entry.exit}`,
    `again: ${entry.retry === 'later' ? 'perhaps later' : 'no'}`,
    ...(http === undefined ? [] : [`HTTP ${http}`]),
  ];
  return `### \`${code}\`\n\n${entry.message(NAMES)}\n\nWhat to do: ${entry.hint}\n\n${facts.join(' · ')}`;
}

/** A context in which every value is its own name. */
const NAMES: Readonly<Record<string, string>> = new Proxy({}, { get: (_, name) => `‹${String(name)}›` });
