import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseConfig } from '../config.ts';
import { type AgentServices, openTaskRoom } from './open-task-room.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-room-'));
after(() => rmSync(place, { recursive: true, force: true }));

const services: AgentServices = {
  clock: () => new Date(),
  random: Math.random,
  randomBytes: (count) => new Uint8Array(count),
  who: 'the test',
  say: () => {},
  uptime: () => ({ boot: 'one', seconds: 0 }),
};

describe('the room of tasks', () => {
  it("opens an account's remote repository, as a night writes it, no faster than the policy of that account says", async () => {
    const config = parseConfig(
      JSON.stringify({
        state: join(place, 'state'),
        local: join(place, 'local'),
        remote: join(place, 'remote'),
        policy: { limits: { upload: '500GB' } },
        accounts: { o1: { policy: { limits: { upload: '2MB' } } } },
      }),
      join(place, 'salvor.yaml'),
    );
    const { points, opened } = await openTaskRoom(config, services);
    await using held = new AsyncDisposableStack();
    held.use(opened);
    await points.repositories.ensure(['o1', 'o2']);
    const secondsOf = async (account: string): Promise<number> => {
      const { storage } = await points.repositories.open(account, 'remote');
      const began = performance.now();
      await storage.save({ kind: 'data', id: 'a'.repeat(64) }, Buffer.alloc(2_000_000));
      return (performance.now() - began) / 1000;
    };
    const [slow, fast] = [await secondsOf('o1'), await secondsOf('o2')];
    // The first piece, of at most 256 KiB, goes at once.
    assert.ok(slow >= 0.86, `${slow} s`);
    assert.ok(fast < slow, `${fast} s, ${slow} s`);
  });
});
