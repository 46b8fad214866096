import type { Site } from './site.ts';

/** A site as tests of what is done with sites need one: nothing said that is not asked for. */
export function testSite(said: Partial<Site> & Pick<Site, 'uri' | 'path' | 'account' | 'platform'>): Site {
  return {
    cms: said.platform.cms,
    version: null,
    settings: `${said.path}/settings.php`,
    aliases: [],
    enabled: null,
    virtualHosts: [],
    isNetwork: false,
    movedOut: [],
    holds: [],
    databases: [],
    problems: [],
    ...said,
  };
}
