/** The web server of the host: its configuration tested and read again, by the hoster's commands. */
import { SalvorError } from '../errors.ts';
import type { Policy } from '../policies/settings.ts';
import type { VhostKind } from '../sites/vhost-syntax.ts';
import { runConfigured } from './configured-command.ts';

/** Plain data: a journal holds it, so that recovery can do the same. */
export type WebServer = {
  readonly kind: VhostKind;
  readonly test: readonly string[];
  readonly reload: readonly string[];
  readonly withinMs: number;
};

const COMMANDS: Readonly<Record<VhostKind, Pick<WebServer, 'test' | 'reload'>>> = {
  nginx: { test: ['nginx', '-t'], reload: ['nginx', '-s', 'reload'] },
  apache: { test: ['apache2ctl', 'configtest'], reload: ['apache2ctl', 'graceful'] },
};

/** Null where the policy names none. */
export function webServerOf(policy: Policy): WebServer | null {
  const { webServer, webServerTest, webServerReload, hookWithinMs } = policy;
  if (webServer !== 'nginx' && webServer !== 'apache') return null;
  const { test, reload } = COMMANDS[webServer];
  return { kind: webServer, test: webServerTest ?? test, reload: webServerReload ?? reload, withinMs: hookWithinMs };
}

type Say = (line: string) => void;

/** Null where the configuration is right as it lies on the disk, else the server's own words. */
export async function testWebServer({ test, withinMs }: WebServer, say: Say): Promise<string | null> {
  return await runTelling('test of the web server', test, withinMs, say);
}

/** Null where it has read its configuration. */
export async function reloadWebServer({ reload, withinMs }: WebServer, say: Say): Promise<string | null> {
  return await runTelling('reload of the web server', reload, withinMs, say);
}

/** Throws `virtual-host-refused` with the server's words. */
export async function requireTested(server: WebServer, files: readonly string[], say: Say): Promise<void> {
  const words = await testWebServer(server, say);
  if (words !== null) throw new SalvorError('virtual-host-refused', { files, server: server.kind, words });
}

async function runTelling(title: string, words: readonly string[], withinMs: number, say: Say): Promise<string | null> {
  const lines: string[] = [];
  const command = { title, words, user: null, directory: '/', env: {}, withinMs };
  const why = await runConfigured(command, {
    say: (line) => {
      lines.push(line.slice(title.length + 2));
      say(line);
    },
  });
  return why === null ? null : pickWords(lines.slice(1)) || why;
}

/** Why it failed: nginx says it in lines with a level, Apache in those before the last; else whatever was said last. */
function pickWords(lines: readonly string[]): string {
  const said = lines.map((line) => line.trim()).filter((line) => line !== '');
  const faults = said.filter((line) =>
    /\[(?:emerg|alert|crit|error)\]|^AH\d+: Syntax|Syntax error|Invalid|not allowed/.test(line),
  );
  return (faults.length > 0 ? faults : said).slice(-MAX_WORDS).join('; ');
}

/** Lines that a person reads. */
const MAX_WORDS = 4;
