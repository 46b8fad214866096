/** What tasks are doing and have done. */
import type { Command } from 'commander';
import { TASK } from './arguments.ts';
import { type GlobalFlags, type Perform, addVerb, exitCodes } from './verb.ts';
import type { TasksFlags } from './commands/tasks.ts';

export function addTaskVerbs(program: Command, perform: Perform): void {
  addVerb(program, 'tasks', 'list the tasks of this host, newest first', {
    examples: ['salvor tasks', 'salvor tasks --state running queued', 'salvor tasks --site example.com --limit 5'],
  })
    .option('--site <site>', 'only of this site: URI, or ACCOUNT/URI')
    .option('--state <state...>', 'only those that are so: queued, running, succeeded, warned, failed …')
    .option('--limit <n>', 'how many (default: 50)')
    .action(async (flags: GlobalFlags & TasksFlags) =>
      perform(flags, async (context) => (await import('./commands/tasks.ts')).tasks(flags, context)),
    );
  const task = program
    .command('task')
    .summary('look at a task, or stop it')
    .description('Looks at a task, or stops it.')
    .helpOption('-h, --help', 'show this help')
    .addHelpText('after', `\n${exitCodes()}`);
  task.helpCommand(false);
  addVerb(task, 'log', 'show what a task has said', {
    examples: ['salvor task log mwtud5ya6orn', 'salvor task log mwtud5ya6orn --follow'],
  })
    .argument('<task>', TASK)
    .option('-f, --follow', 'also what it says until it ends; exits as the task does')
    .action(async (id: string, flags: GlobalFlags & { follow?: boolean }) =>
      perform(flags, async (context) => (await import('./commands/task.ts')).taskLog(id, flags, context)),
    );
  addVerb(task, 'cancel', 'stop a task, and wait until what it has begun is taken back')
    .argument('<task>', TASK)
    .action(async (id: string, flags: GlobalFlags) =>
      perform(flags, async (context) => (await import('./commands/task.ts')).taskCancel(id, context)),
    );
}
