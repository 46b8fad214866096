import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import type { DoctorFinding } from '@salvor/contract';
import { PROGRAM_PATH } from '../../lib/run.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

type Program = { readonly program: string; readonly package: string; readonly why: string };

const NEEDED: readonly Program[] = [
  { program: 'mariadb-dump', package: 'mariadb-client', why: 'no database can be dumped without it' },
  { program: 'mariadb', package: 'mariadb-client', why: 'no database can be restored without it' },
  { program: 'setpriv', package: 'util-linux', why: 'every other program is started through it' },
];
const USEFUL: readonly Program[] = [
  { program: 'restic', package: 'restic', why: 'with it the repositories can be read without Salvor' },
  { program: 'bzip2', package: 'bzip2', why: 'archives that are packed with it can’t be read' },
];

/** Programs that are run by name, where they are looked for. */
export const checkPrograms: Check = () => Promise.resolve(findMissing(PROGRAM_PATH));

/** `path` is as `PATH` is. */
export function findMissing(path: string): readonly DoctorFinding[] {
  const isMissing = ({ program }: Program): boolean => !path.split(':').some((at) => isRunnable(join(at, program)));
  return [
    ...NEEDED.filter(isMissing).map((program) => finding('program-missing', program, program.program)),
    ...USEFUL.filter(isMissing).map((program) => finding('program-useful', program, program.program)),
  ];
}

function isRunnable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
