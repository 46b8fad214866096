import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { WorkPlace } from './work-place.ts';

/** `2 × AMD EPYC, 24 GiB, Linux 6.1.0; trees and repositories on ext4, restores on tmpfs`. */
export function describeMachine({ work, target }: Pick<WorkPlace, 'work' | 'target'>): string {
  const cores = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const places = `trees and repositories on ${fileSystemOf(work)}, restores on ${fileSystemOf(target)}`;
  return `${cores.length} × ${cores[0]?.model.trim() ?? 'CPU'}, ${memory}, Linux ${release()}; ${places}`;
}

export function readVersions(): Readonly<Record<string, string>> {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  const restic = execFileSync('restic', ['version'], { encoding: 'utf8' });
  return { salvor: manifest.version, node: process.versions.node, restic: /[\d.]+/.exec(restic)?.[0] ?? restic.trim() };
}

function fileSystemOf(path: string): string {
  const found = execFileSync('findmnt', ['--noheadings', '--output', 'FSTYPE', '--target', path], { encoding: 'utf8' });
  // One line for each that was mounted there; the last one covers the others.
  return found.trim().split('\n').at(-1)?.trim() ?? 'unknown';
}
