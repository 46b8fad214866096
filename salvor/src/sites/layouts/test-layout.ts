/** One row of the list of layouts and traps: a host, and all that may be found on it. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FoundSites, FindSitesOptions } from '../find-sites.ts';
import { TestHost } from './test-host.ts';

export type Layout = {
  readonly name: string;
  readonly build: (host: TestHost) => void;
  /** `ACCOUNT/URI path`: these and no others. */
  readonly sites: readonly string[];
  /** `code path`: these and no others. */
  readonly notSites?: readonly string[] | ((host: TestHost) => readonly string[]);
  /** `uri: engine name@server prefix tls`; not compared where it is left out. */
  readonly databases?: readonly string[];
  /** `uri: code` of sites' problems and `code` of the host's: these and no others. */
  readonly problems?: readonly string[];
  readonly options?: Partial<FindSitesOptions>;
  /** What else is claimed. */
  readonly check?: (found: FoundSites, host: TestHost) => void;
};

export function testLayouts(title: string, layouts: readonly Layout[]): void {
  describe(title, () => {
    for (const layout of layouts) {
      test(layout.name, async () => {
        using host = new TestHost();
        layout.build(host);
        const found = await host.find(layout.options);
        const problems = [
          ...found.sites.flatMap(({ uri, problems: ofSite }) => ofSite.map(({ code }) => `${uri}: ${code}`)),
          ...found.problems.map(({ code }) => code),
        ];
        assert.deepEqual(host.sitesOf(found), [...layout.sites].sort());
        const { notSites = [] } = layout;
        assert.deepEqual(
          host.notSitesOf(found),
          [...(typeof notSites === 'function' ? notSites(host) : notSites)].sort(),
        );
        assert.deepEqual(problems, layout.problems ?? []);
        if (layout.databases !== undefined) assert.deepEqual(host.databasesOf(found), layout.databases);
        layout.check?.(found, host);
      });
    }
  });
}
