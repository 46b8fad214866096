import { SalvorError, type SalvorErrorCode } from '../../errors.ts';

/** Codes of ours that a helper's own operations throw; what they say beside the path is made anew here. */
const OURS: Readonly<Record<string, SalvorErrorCode>> = {
  'not-a-file': 'not-a-file',
  'path-leads-out': 'path-leads-out',
  'path-unsafe': 'path-unsafe',
  'tree-in-use': 'tree-in-use',
  EDQUOT: 'quota-exceeded',
  EEXIST: 'path-taken',
  ENOENT: 'path-missing',
  ENOSPC: 'disk-full',
  ENOTDIR: 'path-leads-out',
};

/** What a helper failed with, as an error of ours. Nothing of its text is from the helper but the system's code. */
export function explainFailure(code: string, path: string): SalvorError {
  const what = 'something that is no directory, or a link,';
  return new SalvorError(OURS[code] ?? 'home-refused', { path, where: path, code, what, why: 'it leads out' });
}
