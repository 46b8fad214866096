/** What is typed for each operation of a shape, and the files that its words stand for. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import { isUnfinishedArchive } from '../../src/archives/unfinished.ts';
import type { Shape } from './kill-shapes.ts';
import type { KillKind } from './kill-strike.ts';

/**
 * `change` is what the shape is: a restore, a clone, a rename, a delete … `undo` and `enable` take it back. `settle` confirms a
 * change that stands, `expire` is the next command when its time is over: none of them can be taken back then.
 */
export type Operation =
  | 'change'
  | 'undo'
  | 'enable'
  | 'settle'
  | 'expire'
  | 'backup'
  | 'verify'
  | 'confirm'
  | 'backup-delete'
  | 'export';

export class KillCommands {
  readonly #host: DemoHost;
  /** By the URI of the site that it is of. */
  readonly points = new Map<string, string>();

  constructor(host: DemoHost) {
    this.#host = host;
  }

  /** `subject`: a task or a point that it is about. */
  argsOf({ source, command }: Shape, operation: Operation, subject: string | null): readonly string[] {
    switch (operation) {
      case 'backup':
      case 'verify':
      case 'enable':
        return [operation, source.uri];
      case 'undo':
      case 'backup-delete':
        return [operation, subject ?? '', '--yes'];
      case 'confirm':
      case 'settle':
        return ['confirm', subject ?? ''];
      case 'expire':
        return ['backup', source.uri];
      case 'export':
        return ['export', source.uri, this.points.get(source.uri) ?? '', '--output', this.#exported];
      case 'change':
        return this.#wordsOf(source, command);
      default:
        return operation satisfies never;
    }
  }

  #wordsOf(source: DemoSite, command: readonly string[]): readonly string[] {
    const stands: Readonly<Record<string, string | undefined>> = {
      POINT: this.points.get(source.uri),
      ARCHIVE: this.archiveOf(source),
      OLD: this.oldArchiveOf(source),
    };
    return command.map((word) => stands[word] ?? word);
  }

  /** In the account's home, where another user writes. */
  get #exported(): string {
    return join(this.#host.home, 'exported.tar.gz');
  }

  /** Whole or absent, and nothing beside it that has no name; then it goes. Of one that nobody hit it is there. */
  async takeExported(kind: KillKind | null): Promise<void> {
    assert.deepEqual(readdirSync(this.#host.home).filter(isUnfinishedArchive), []);
    if (!existsSync(this.#exported)) return assert.notEqual(kind, null, 'an export that nobody hit wrote nothing');
    const { stdout } = await promisify(execFile)('tar', ['-tzf', this.#exported]);
    assert.ok(stdout.split('\n').includes('./.salvor-manifest.json'), 'the exported archive is cut off');
    rmSync(this.#exported);
  }

  archiveOf({ uri }: DemoSite): string {
    return join(this.#host.directory, `${uri}.tar.gz`);
  }

  oldArchiveOf({ uri }: DemoSite): string {
    return join(this.#host.directory, `${uri}-20260101.120000.tar.gz`);
  }
}
