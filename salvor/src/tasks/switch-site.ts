/**
 * What changes places in a restore, as a value: tables first, all of a database in one statement, then each directory
 * in one exchange. Between the first and the last the site is mixed, for less than a second.
 *
 * The value goes into the journal before the first part moves. It can be turned round, and each of its parts can be
 * asked whether it has moved, so that a crash at any instant is finished or undone from it.
 */
import type { DatabaseLogin, ServerAddress } from '../databases/mariadb/connect.ts';
import { type Move, invertMove, makeMove, surveyMove } from './move-site.ts';

export type Switch = {
  readonly tables: readonly TableSwap[];
  readonly moves: readonly Move[];
};
export type TableSwap = { readonly server: ServerAddress };

export type SwitchTools = {
  /** The log-in that may create, swap and drop on this server; asked for the account whose home is given. */
  readonly administratorOf: (server: ServerAddress, home: string) => Promise<DatabaseLogin>;
};

export type SwitchSurvey = {
  readonly isUntouched: boolean;
  readonly isDone: boolean;
  /** Parts that are at neither place. */
  readonly lost: readonly string[];
  readonly summary: string;
};

export async function makeSwitch(wanted: Switch, _home: string, _tools: SwitchTools): Promise<void> {
  for (const move of wanted.moves) makeMove(move);
}

/** Moves what has not moved yet. */
export async function finishSwitch(wanted: Switch, _home: string, _tools: SwitchTools): Promise<void> {
  for (const move of wanted.moves) if (surveyMove(move) === 'before') makeMove(move);
}

export function invertSwitch(wanted: Switch): Switch {
  return { tables: wanted.tables.toReversed(), moves: wanted.moves.toReversed().map(invertMove) };
}

export async function surveySwitch(wanted: Switch, _home: string, _tools: SwitchTools): Promise<SwitchSurvey> {
  const sides = wanted.moves.map((move) => ({ name: move.live, side: surveyMove(move) }));
  const count = (side: string): number => sides.filter((part) => part.side === side).length;
  return {
    isUntouched: count('before') === sides.length,
    isDone: count('after') === sides.length,
    lost: sides.filter(({ side }) => side === 'lost').map(({ name }) => name),
    summary: `${count('before')} parts at their old places, ${count('after')} at their new ones, ${count('lost')} at neither`,
  };
}
