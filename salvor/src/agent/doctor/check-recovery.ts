import type { DoctorFinding } from '@salvor/contract';
import { type RecoveryProof, proveRecovery, readRecoveryProofs } from '../../points/recovery-proofs.ts';
import { copiesOf, hasRepository, repositoryUrlOf } from '../../points/repositories.ts';
import { HOST_ACCOUNT } from '../host-account.ts';
import type { Check, DoctorRoom } from './examine-host.ts';
import { finding } from './findings.ts';

/** Each repository once a month: what was proven since is believed. */
const PROVEN_FOR_MS = 30 * 86_400_000;

/** Whether the recovery key opens every repository, tried as a person with the printed kit would; remembered in the state. */
export const checkRecovery: Check = (room, { accounts }, signal) =>
  proveMonthly(
    room,
    accounts.map(({ name }) => name),
    signal,
  );

/** Of these accounts and the host's own: those that were not proven within the month are tried. */
export async function proveMonthly(
  { config, clock }: Pick<DoctorRoom, 'config' | 'clock'>,
  accounts: readonly string[],
  signal: AbortSignal | undefined,
): Promise<readonly DoctorFinding[]> {
  const names = [...accounts, HOST_ACCOUNT].filter((name) => hasRepository(config, name));
  const known = readRecoveryProofs(config.state);
  const due = names.filter((name) => isDue(name, known, config, clock()));
  if (due.length > 0) await proveRecovery(config, due, { clock, signal });
  return judgeProofs(readRecoveryProofs(config.state).filter(({ account }) => names.includes(account)));
}

function isDue(account: string, known: readonly RecoveryProof[], config: DoctorRoom['config'], now: Date): boolean {
  return copiesOf(config).some((copy) => {
    const url = repositoryUrlOf(config, account, copy);
    const proof = known.find((one) => one.account === account && one.url === url);
    const isProven = proof !== undefined && proof.problem === null && proof.proven !== null;
    return !isProven || now.getTime() - Date.parse(proof.proven ?? '') > PROVEN_FOR_MS;
  });
}

/** A place that is away, or an account whose repository is missing, is the finding of another check. */
export function judgeProofs(proofs: readonly RecoveryProof[]): readonly DoctorFinding[] {
  return proofs
    .filter(({ problem }) => problem !== null && !/^storage-|^repository-missing$/.test(problem.code))
    .map(({ account, copy, url, proven, problem }) =>
      finding('recovery-key-unproven', { account, copy, proven: proven ?? 'never', why: problem?.message ?? '' }, url),
    );
}
