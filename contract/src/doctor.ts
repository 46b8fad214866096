import { z } from 'zod';
import { Count, list } from './scalars.ts';

/**
 * `error`: something is not backed up, or could not be brought back. `warning`: it may come to that. `note`: worth
 * knowing, and no reason to act.
 */
export const FINDING_SEVERITIES = ['error', 'warning', 'note'] as const;

export const DoctorFinding = z
  .object({
    code: z.string().min(1),
    severity: z.enum(FINDING_SEVERITIES),
    /** What is so. */
    message: z.string().min(1),
    /** What to do about it. */
    remedy: z.string().min(1),
    /** The file, place, account or site that it is about. */
    path: z.string().nullable(),
  })
  .readonly();
export type DoctorFinding = z.infer<typeof DoctorFinding>;

/** `salvor doctor --json` */
export const DoctorDocument = z
  .object({
    /** `failed` with an error among the findings, `warned` with a warning. */
    state: z.enum(['succeeded', 'warned', 'failed']),
    /** What was looked at, in its order, and how much was found there that is not a note. */
    checks: list(z.object({ name: z.string().min(1), findings: Count }).readonly()),
    findings: list(DoctorFinding),
  })
  .readonly();
export type DoctorDocument = z.infer<typeof DoctorDocument>;
