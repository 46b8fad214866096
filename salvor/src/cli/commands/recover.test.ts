import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, it } from 'node:test';
import { type Ran, runCli } from '../../../test/cli/run-cli.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-recover-command-'));
writeFileSync(join(place, 'salvor.yaml'), `state: ${place}/state\nlocal: ${place}/repositories\n`);
after(() => rmSync(place, { recursive: true, force: true }));

const KEY = '01234567 89ABCDEF '.repeat(4);

/** With a person at the terminal who types, or pastes, these lines. */
async function type(lines: readonly string[]): Promise<Ran> {
  const stdin = new PassThrough();
  stdin.end(lines.map((line) => `${line}\n`).join(''));
  const args = ['recover', '--dry-run', '--json', '--config', join(place, 'salvor.yaml')];
  return await runCli(args, { terminal: { canAsk: true, stdin } });
}

const codeOf = ({ out }: Ran): string => (JSON.parse(out) as { error: { code: string } }).error.code;

describe('salvor recover', () => {
  it('asks for what stands on the paper, and repeats no key', async () => {
    const empty = await type([place, KEY]);
    assert.equal(empty.exit, 3, empty.out);
    assert.match(empty.err, /Address of the copy.*\n?.*Recovery key/);
    assert.ok(!`${empty.out}${empty.err}`.toLowerCase().includes('89abcdef'));
    assert.equal(codeOf(await type([place, KEY.slice(1)])), 'kit-unreadable');
    assert.equal(codeOf(await type([place])), 'cancelled');
    assert.equal(
      codeOf(await type(['sftp:b@h:/x', KEY, join(place, 'no-key'), join(place, 'no-hosts')])),
      'kit-unreadable',
    );
  });

  it('without a kit and without a terminal is wrong usage', async () => {
    const ran = await runCli(['recover', '--json']);
    assert.deepEqual([ran.exit, codeOf(ran)], [2, 'usage']);
    assert.equal(codeOf(await runCli(['recover', '--json', '--kit', join(place, 'none')])), 'kit-unreadable');
  });
});
