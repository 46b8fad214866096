/**
 * What can be typed, in the groups of `salvor --help`: each group has a file with its verbs, their arguments, flags and help. What a
 * verb does is in `commands/<verb>.ts`, which is loaded only when it is asked for, so that `salvor --help` is there at once.
 */
import { Command } from 'commander';
import type { Argument } from 'commander';
import { addLookVerbs } from './look-verbs.ts';
import { addMoveVerbs } from './move-verbs.ts';
import { addRepoCommand } from './repo-program.ts';
import { addSetUpVerbs } from './set-up-verbs.ts';
import { addSiteVerbs } from './site-verbs.ts';
import { addTaskVerbs } from './task-verbs.ts';
import { exitCodes } from './verb.ts';
import { readVersion } from '../lib/version.ts';
import type { Perform } from './verb.ts';

/** `output.write` takes a text that was asked for; what commander says of wrong usage comes as an error too, and `run` prints that. */
export function buildProgram(
  output: { write: (text: string) => void; writeError: (text: string) => void },
  perform: Perform,
): Command {
  const program = new Command('salvor')
    .description("Backs up the sites of a web host and brings them back, in restic's open repository format.")
    .version(readVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({ writeOut: output.write, writeErr: output.writeError, getOutHasColors: () => false })
    .configureHelp({
      helpWidth: 100,
      subcommandTerm: (command) =>
        [command.name(), ...command.registeredArguments.map((argument) => argumentTerm(argument))].join(' '),
    })
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\nWhat a command takes: salvor COMMAND --help\n\n${exitCodes()}`);

  program.commandsGroup('Set up:');
  addSetUpVerbs(program, perform);
  program.commandsGroup('Back up and bring back:');
  addSiteVerbs(program, perform);
  program.commandsGroup('Copy, rename and move:');
  addMoveVerbs(program, perform);
  program.commandsGroup('Look:');
  addLookVerbs(program, perform);
  program.commandsGroup('Tasks:');
  addTaskVerbs(program, perform);
  program.commandsGroup('Repositories, as restic has them:');
  addRepoCommand(program, perform);
  return program.helpCommand(false);
}

function argumentTerm(argument: Argument): string {
  const term = argument.name().toUpperCase() + (argument.variadic ? '…' : '');
  return argument.required ? term : `[${term}]`;
}
