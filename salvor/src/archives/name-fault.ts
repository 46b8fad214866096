import { SalvorError, type SalvorErrorCode } from '../errors.ts';
import { ArchiveFault } from './tar/archive-fault.ts';

const CODES: Readonly<Record<ArchiveFault['kind'], SalvorErrorCode>> = {
  damaged: 'archive-damaged',
  hostile: 'archive-hostile',
  'too-large': 'archive-too-large',
  unsupported: 'archive-unsupported',
};

/** The coded error for what is wrong with an archive; anything else as it is. */
export function nameFault(error: unknown, archive: string): unknown {
  if (!(error instanceof ArchiveFault)) return error;
  return new SalvorError(CODES[error.kind], { archive, why: error.message }, { cause: error });
}
