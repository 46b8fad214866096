import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { NOBODY, identifyThisProcess, isAlive } from './process-identity.ts';

test('this process is alive, the same pid with another start is not, and nobody never is', () => {
  const self = identifyThisProcess();
  assert.equal(isAlive(self), true);
  assert.equal(isAlive({ ...self, start: `${self.start}0` }), false);
  assert.equal(isAlive(NOBODY), false);
});

test('a process that was killed is not alive', async () => {
  const script = `import { identifyThisProcess } from ${JSON.stringify(`${import.meta.dirname}/process-identity.ts`)};
    console.log(JSON.stringify(identifyThisProcess())); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const identity = JSON.parse(line.toString()) as ReturnType<typeof identifyThisProcess>;
  assert.equal(isAlive(identity), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(isAlive(identity), false);
});
