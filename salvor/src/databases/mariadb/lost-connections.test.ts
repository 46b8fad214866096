/** What becomes of a dump, a load and a switch when the way to a server on the network is cut, at chosen bytes of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openMariaDb } from '../../../../demo/mariadb-server.ts';
import { findFreePort } from '../../../../demo/web-server.ts';
import { type DatabaseLogin, openConnection } from './connect.ts';
import { inspectSwap, readSwapFacts } from './inspect-swap.ts';
import { planSwap, type SwapPlan, WHOLE_DATABASE } from './plan-swap.ts';
import { createScratch, dropScratch } from './scratch.ts';
import { applySwap, finishSwap, revertSwap } from './swap.ts';
import { dumpAll, fingerprint, loadAll, makeScratch, makeSite, type TestServer } from './test-database.ts';

const CONTENT = `CREATE TABLE a (i INT PRIMARY KEY); INSERT INTO a VALUES (1); CREATE VIEW v AS SELECT i FROM a;
  CREATE TABLE b (id INT PRIMARY KEY, t VARCHAR(500)); INSERT INTO b SELECT seq, REPEAT(MD5(seq), 14) FROM seq_1_to_20000;`;

/** When a cable is cut: before the bytes that hold a text have gone through it, or right behind them. */
type Cut = {
  readonly text: string;
  readonly isBehind: boolean;
  /** Nothing is cut before the server has said that a statement with this text is done: what is tried again is said again. */
  readonly onceDone?: string;
};

describe('the way to a server on the network', () => {
  let made: AsyncDisposableStack;
  let host: TestServer;
  let cable: Cable;
  let count = 0;
  before(async () => {
    made = new AsyncDisposableStack();
    const port = await findFreePort();
    const network = ['--skip-networking=0', '--bind-address=127.0.0.1', `--port=${port}`];
    const server = made.use(await openMariaDb({ serverOptions: network }));
    await server.query("GRANT ALL ON *.* TO 'boss'@'%' IDENTIFIED BY 'boss' WITH GRANT OPTION");
    cable = made.use(await openCable(port));
    host = {
      server,
      admin: { address: { host: '127.0.0.1', port: cable.port }, user: 'boss', password: 'boss' },
      directory: join(server.directory, 'clients'),
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  });
  after(() => made.disposeAsync());
  const sql = (text: string): Promise<string> => host.server.query(text);
  const atServer = (): DatabaseLogin => host.server.rootLogin;

  test('is cut in the middle of a dump: that fails, and is taken for whole by nobody', async () => {
    const { name } = await makeSite(host, 'dumped', CONTENT);
    cable.cutAt({ text: 'REPLACED BY NOTHING', isBehind: true, afterBytes: 3_000_000 });
    await assert.rejects(dumpAll(host, host.admin, name), {
      code: /^(dump-failed|dump-incomplete|database-unreachable)$/,
    });
    assert.ok(cable.isCut);
    cable.mend();
    await dumpAll(host, host.admin, name);
  });

  test('is cut in the middle of a load: that fails, and what it made can be dropped', async () => {
    const { name } = await makeSite(host, 'loaded', CONTENT);
    const parts = await dumpAll(host, host.admin, name);
    const scratch = await makeScratch(host);
    cable.cutAt({ text: 'INSERT INTO `b`', isBehind: true });
    await assert.rejects(loadAll(host, scratch, parts), { code: 'database-unreachable' });
    assert.ok(cable.isCut);
    cable.mend();
    await dropScratch(host.admin, { database: scratch.database, user: scratch.login.user });
    assert.equal(await sql("SHOW DATABASES LIKE 'salvor%'; SELECT User FROM mysql.user WHERE User LIKE 'salvor%'"), '');
  });

  test('is slow, and what makes a database is cancelled on it: nothing is made any more when it was dropped', async () => {
    const stop = new AbortController();
    const wish = { name: 'salvor_late_new', user: 'salvor_late_new', password: 'x', signal: stop.signal };
    const held = cable.hold('CREATE DATABASE', () => stop.abort());
    await assert.rejects(createScratch(host.admin, { ...wish, charset: 'utf8mb4', collation: 'utf8mb4_bin' }), {
      name: 'AbortError',
    });
    await dropScratch(host.admin, { database: wish.name, user: wish.user });
    await held.passOn();
    assert.equal(await sql("SHOW DATABASES LIKE 'salvor%'; SELECT User FROM mysql.user WHERE User LIKE 'salvor%'"), '');
  });

  const prepare = async (): Promise<{ plan: SwapPlan; coming: string; present: string }> => {
    count += 1;
    const content =
      'CREATE TABLE a (i INT); INSERT INTO a VALUES (1); CREATE TABLE b (i INT); INSERT INTO b VALUES (1); CREATE VIEW v AS SELECT i FROM a; CREATE TRIGGER t BEFORE INSERT ON b FOR EACH ROW SET NEW.i = 7;';
    const site = await makeSite(host, `switched_${count}`, `${content} DELETE FROM b;`);
    const [live, scratch] = [site.name, `salvor_${count}_new`];
    await sql(`CREATE DATABASE ${scratch} CHARACTER SET utf8mb4; USE ${scratch}; ${content}`);
    const wish = {
      live,
      scratch,
      old: `salvor_${count}_old`,
      definer: site.account,
      definers: [],
      scope: WHOLE_DATABASE,
    };
    const plan = planSwap(await readSwapFacts(atServer(), wish), wish);
    return { plan, coming: await fingerprint(host, scratch), present: await fingerprint(host, live) };
  };
  const CUTS: Readonly<Record<string, Cut & { readonly states: readonly string[] }>> = {
    'before its first statement': { text: 'CREATE DATABASE', isBehind: false, states: ['before'] },
    'before the tables move': { text: 'RENAME TABLE', isBehind: false, states: ['before'] },
    'while the tables move': { text: 'RENAME TABLE', isBehind: true, states: ['before', 'after'] },
    'before triggers are made again': {
      text: 'INSERT ON',
      isBehind: false,
      onceDone: 'RENAME TABLE',
      states: ['after'],
    },
  };
  for (const [when, { states, ...cut }] of Object.entries(CUTS))
    test(`is cut ${when}: the server is asked how far it came, and the switch is finished or taken back`, async () => {
      for (const act of [finishSwap, revertSwap]) {
        const { plan, coming, present } = await prepare();
        cable.cutAt(cut);
        await assert.rejects(applySwap(host.admin, plan), { code: 'database-unreachable' });
        assert.ok(cable.isCut);
        cable.mend();
        const { state } = await inspectSwap(host.admin, plan);
        assert.ok(states.includes(state), state);
        await act(host.admin, plan);
        assert.equal(await fingerprint(host, plan.live), act === finishSwap ? coming : present);
        assert.equal(
          await sql(`USE ${plan.live}; INSERT INTO b VALUES (1); SELECT COUNT(*) FROM b WHERE i = 7; SELECT i FROM v`),
          '1\n1\n',
        );
      }
    });

  test('is looked after where nothing is said for long: a server that has gone without a word is noticed in a minute or two', async () => {
    await using connection = await openConnection({ ...host.admin });
    await connection.query('SELECT 1');
    const remote = `0100007F:${cable.port.toString(16).toUpperCase().padStart(4, '0')}`;
    const lines = readFileSync('/proc/net/tcp', 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/));
    const ours = lines.filter((fields) => fields[2] === remote && fields[3] === '01');
    assert.ok(ours.length > 0);
    for (const fields of ours) {
      const [kind, ticks] = (fields[5] ?? '').split(':');
      assert.equal(kind, '02', 'the kernel’s timer of a connection that is kept alive');
      assert.ok(Number.parseInt(ticks ?? '', 16) / 100 <= 60, ticks ?? '');
    }
  });
});

type Cable = AsyncDisposable & {
  readonly port: number;
  readonly isCut: boolean;
  /** From now on; with `afterBytes` of what comes back whatever is said. */
  cutAt(cut: Cut & { readonly afterBytes?: number }): void;
  mend(): void;
  /** What holds the text stays on the way, and so does the end of its connection, till it is passed on. `onHeld` is called when it is there. */
  hold(text: string, onHeld: () => void): { passOn(): Promise<void> };
};

/** Of a packet of the protocol: three bytes of length and one of order come before it. */
const AT_KIND_OF_ANSWER = 4;
const OK_ANSWER = 0;

/** Passes everything on to the server, till it is cut: then all of its connections are gone at both ends, and no new one is made. */
async function openCable(serverPort: number): Promise<Cable> {
  let cut: (Cut & { readonly afterBytes?: number }) | null = null;
  let isCut = false;
  let bytesBack = 0;
  let isDone = false;
  let hold: { readonly text: string; readonly onHeld: () => void; held: { far: Socket; bytes: Buffer } | null } | null =
    null;
  const sockets = new Set<Socket>();
  const tear = (): void => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const far = connect(serverPort, '127.0.0.1');
    let isAsked = false;
    for (const socket of [client, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        if (hold?.held?.far !== far) (socket === client ? far : client).destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      isAsked = cut?.onceDone !== undefined && bytes.includes(cut.onceDone);
      if (hold?.held === null && bytes.includes(hold.text)) {
        hold.held = { far, bytes };
        hold.onHeld();
      } else if (cut === null || !bytes.includes(cut.text) || (cut.onceDone !== undefined && !isDone)) far.write(bytes);
      else if (cut.isBehind) far.write(bytes, tear);
      else tear();
    });
    far.on('data', (bytes) => {
      bytesBack += bytes.length;
      if (isAsked && bytes[AT_KIND_OF_ANSWER] === OK_ANSWER) isDone = true;
      isAsked = false;
      if (cut?.afterBytes !== undefined && bytesBack > cut.afterBytes) tear();
      else if (!client.write(bytes)) far.pause();
    });
    client.on('drain', () => far.resume());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    get isCut(): boolean {
      return isCut;
    },
    cutAt: (wanted) => {
      bytesBack = 0;
      isDone = false;
      cut = wanted;
    },
    mend: () => {
      cut = null;
      isCut = false;
    },
    hold: (text, onHeld) => {
      hold = { text, onHeld, held: null };
      return {
        passOn: async () => {
          const { far, bytes } = hold?.held ?? assert.fail('nothing was held');
          hold = null;
          if (far.closed) return;
          const gone = once(far, 'close');
          far.end(bytes);
          await gone;
        },
      };
    },
    [Symbol.asyncDispose]: async () => {
      tear();
      server.close();
      await once(server, 'close');
    },
  };
}
