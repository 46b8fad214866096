/**
 * What belongs to the process (signals, streams, exit code) and nothing else. `run.ts` does the work, with everything
 * handed to it.
 */
import { readEnvironment } from '../config.ts';
import { SalvorError } from '../errors.ts';
import { run } from './run.ts';
import { OutputClosed, openTerminal } from './terminal.ts';

const cancelling = new AbortController();

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // The second one means it: what is left over is finished or undone by the next command.
    if (cancelling.signal.aborted) process.exit(1);
    cancelling.abort(new SalvorError('cancelled', { what: `stopped by ${signal}` }));
  });
}

// `salvor ls … | head` is no failure: the reader has what it wanted. What is open is still closed properly.
process.stdout.on('error', (error) => {
  if (!('code' in error) || error.code !== 'EPIPE') throw error;
  cancelling.abort(new OutputClosed());
});
process.stderr.on('error', () => {
  // Messages that nobody can read must not stop the work.
});

const environment = readEnvironment();
process.exitCode = await run(process.argv.slice(2), {
  terminal: openTerminal(environment),
  environment,
  clock: () => new Date(),
  signal: cancelling.signal,
});
