import type { Site } from './site.ts';

/** A site of which no more is known than is said here: one that is gone, one that is to come, or one of a test. */
export function bareSite(said: Partial<Site> & Pick<Site, 'uri' | 'path' | 'account' | 'platform'>): Site {
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
