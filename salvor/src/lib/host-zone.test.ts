import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { isZone, readHostZone } from './host-zone.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-zone-'));
after(() => rmSync(place, { recursive: true, force: true }));

function host(name: string): string {
  const root = join(place, name);
  mkdirSync(join(root, 'etc'), { recursive: true });
  return root;
}

describe("the host's time zone", () => {
  it('is where /etc/localtime leads, before what /etc/timezone says', () => {
    const root = host('both');
    symlinkSync('/usr/share/zoneinfo/Europe/Oslo', join(root, 'etc/localtime'));
    writeFileSync(join(root, 'etc/timezone'), 'Asia/Tokyo\n');
    assert.equal(readHostZone(root), 'Europe/Oslo');
  });

  it('is what /etc/timezone says where the other is a file', () => {
    const root = host('file');
    writeFileSync(join(root, 'etc/localtime'), 'TZif');
    writeFileSync(join(root, 'etc/timezone'), 'Asia/Tokyo\n');
    assert.equal(readHostZone(root), 'Asia/Tokyo');
  });

  it('is UTC where nothing says it, or nonsense does', () => {
    const root = host('none');
    assert.equal(readHostZone(root), 'UTC');
    writeFileSync(join(root, 'etc/timezone'), 'Mars/Olympus\n');
    assert.equal(readHostZone(root), 'UTC');
    assert.equal(isZone('../etc/passwd'), false);
  });
});
