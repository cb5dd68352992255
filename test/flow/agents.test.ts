/** Several agents under one sidecar, with real processes: each is itself, what changes in one is told by name, and none reaches into another. */
import { rmSync, writeFileSync } from 'node:fs';
import { chmod, chown, cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { agentId, Bed, type Kind, PYTHON, PYTHON_AGENT } from '../attack/bed.js';
import { bootFirmware } from '../../cli/demo/firmware.js';
import { Process } from '../../cli/demo/processes.js';
import { ari } from '../cli/support.js';

/** The same program in folders of their own: agents of the same user and interpreter. */
const asker = (name: string, launchOnly = false): Kind => ({
  ...PYTHON_AGENT, name, launchOnly, make: async (root) => { await cp(join(import.meta.dirname, 'agents/asker.py'), join(root, 'agent.py')); return PYTHON !== null; },
});
const [ONE, OTHER, LAUNCHED] = [asker('one'), asker('other'), asker('launched', true)];

/** The group that may open the socket. */
const GROUP = 60_000;
/** The same of a user of its own, in that group. */
const ofUser = (name: string, uid: number): Kind => ({ ...asker(name), uid, command: (root) => as(uid, root) });
const as = (uid: number, root: string): [string, ...string[]] => ['setpriv', '--reuid', String(uid), '--regid', String(uid), '--groups', String(GROUP), PYTHON ?? '', join(root, 'agent.py')];
const [ALICE, BOB] = [ofUser('alice', 60_001), ofUser('bob', 60_002)];

let bed: Bed;
beforeAll(async () => { bed = await Bed.open([ONE, OTHER, LAUNCHED, ALICE, BOB]); }, 60_000);
afterEach(() => bed.endAgents());
afterAll(() => bed.close());

const me = (): string[] => ['-u', bed.stage.url, '--user', bed.stage.user.userId, '--key', join(bed.stage.dir, 'user.jwk')];
const history = async (...page: string[]): Promise<string> => {
  const { deviceId } = await bed.stage.status();
  const { status, out } = await ari('device', 'history', deviceId ?? '', ...me(), ...page);
  expect(status).toBe(0);
  return out.trimEnd();
};
/** Lines of the history about an agent, without time and process. */
const told = async (kind: Kind): Promise<string[]> => (await history()).split('\n').flatMap((line) => { const at = line.indexOf(agentId(kind)); return at < 0 ? [] : [line.slice(at)]; });

const mandateOf = async (kind: Kind): Promise<string> => {
  const { deviceId } = await bed.stage.status();
  const { out } = await ari('mandate', 'show', '--device', deviceId ?? '', ...me(), '--json');
  return /mnd_[0-9A-Z]{26}/.exec(JSON.stringify((JSON.parse(out) as { mandates: { agent_id?: string }[] }).mandates.find((one) => JSON.stringify(one).includes(agentId(kind)))))?.[0] ?? '';
};

describe.each([
  ['attached', ONE, (kind: Kind) => bed.start(kind)],
  ['launched', LAUNCHED, (kind: Kind) => bed.launch(kind)],
] as const)('an agent that is %s and drifts', (mode, kind, start) => {
  it('is refused, its file is named to the agent and to its user, and it is clean again when it is restarted', async () => {
    const agent = await start(kind);
    expect(await bed.pay(agent)).toBe('settled');
    await wait(100); // a change within a few hundredths of a second of the start is not told from one before it
    const file = join(bed.root(kind), 'evil.py');
    writeFileSync(file, '');
    const key = bed.key();
    expect(await agent.ask(`pay ${key}`)).toBe('agent.version_not_authorised');
    expect(await agent.ask(`why ${key}`)).toContain('evil.py');
    const { out } = await ari('payment', 'show', await agent.ask(`id ${key}`), ...me());
    expect(out).toMatch(/deny.*\n.*evil\.py.*\(agent\.version_not_authorised\)/);
    rmSync(file);
    expect(await bed.pay(agent)).toMatch(/^agent\.(?:changed_since_start|drifted)$/);
    await bed.endAgents();
    expect(await bed.pay(await start(kind))).toBe('settled');
    const lines = await told(kind);
    expect(lines[0]).toContain(mode === 'launched' ? 'was launched, measured before its first instruction' : 'connected, and is what its publisher made it');
    expect(lines[1]).toMatch(/is not what its publisher made it: .*agent\.version_not_authorised.*; evil\.py \(extra\)/);
    expect(lines.at(-2)).toMatch(/ended$/);
    expect(lines.at(-1)).toContain(mode === 'launched' ? 'was launched' : 'connected');
  }, 30_000);
});

describe('an agent that never pays', () => {
  it('stands in the history, and its end too, though the sidecar was away', async () => {
    await expect.poll(async () => (await told(LAUNCHED)).at(-1) ?? 'ended', { timeout: 10_000 }).toMatch(/ended$/);
    const before = (await told(LAUNCHED)).length;
    const since = async (): Promise<string[]> => (await told(LAUNCHED)).slice(before);
    await bed.launch(LAUNCHED);
    await expect.poll(since, { timeout: 10_000 }).toEqual([expect.stringContaining('was launched')]);
    await bed.stage.sidecar.stop();
    await bed.endAgents();
    await bed.stage.restartSidecar();
    await expect.poll(since, { timeout: 10_000 }).toEqual([expect.stringContaining('was launched'), expect.stringMatching(/had ended when the sidecar was back$/)]);
  }, 30_000);
});

describe('the history of a device', () => {
  it('goes back over its boots, each marked, page by page', async () => {
    expect(await bed.pay(await bed.start(ONE))).toBe('settled');
    const before = await history();
    await bed.stage.sidecar.stop();
    await bed.endAgents();
    await bed.stage.tpm.reset('clear');
    await bootFirmware(bed.stage.tpm.spec);
    await bed.stage.restartSidecar();
    expect(await bed.pay(await bed.start(ONE))).toBe('settled');
    const all = (await history()).split('\n');
    expect(all.slice(0, before.split('\n').length).join('\n')).toBe(before);
    expect(all.filter((line) => /^boot \S+ +TPM reset \d+, restart \d+$/.test(line))).toHaveLength(before.split('\n').filter((line) => line.startsWith('boot ')).length + 1);
    const backwards: string[] = [];
    for (let more: string[] | null = []; more !== null;) {
      const page: string[] = (await history('--limit', '7', ...more)).split('\n');
      backwards.unshift(...page.filter((line) => !/^(?:earlier|boot|no record)/.test(line)));
      const place: string | undefined = /^earlier: --before (\S+)$/.exec(page[0] ?? '')?.[1];
      more = place === undefined ? null : ['--before', place];
    }
    expect(backwards).toEqual(all.filter((line) => !line.startsWith('boot ')));
  }, 60_000);
});

describe('two agents of one user', () => {
  it('are told apart: none sees the payments, bundles and events of the other', async () => {
    const [one, other] = [await bed.start(ONE), await bed.start(OTHER)];
    expect(await other.ask('listen')).toBe('listening');
    const key = bed.key();
    expect(await one.ask(`pay ${key}`)).toBe('settled');
    const id = await one.ask(`id ${key}`);
    expect(id).toMatch(/^pay_/);
    expect(await one.ask(`get /v1/payments/${id}`)).toBe('settled');
    for (const path of [`/v1/payments/${id}`, `/v1/payments/${id}/bundle`]) expect(await other.ask(`get ${path}`)).toBe('intake.not_found');
    expect(await bed.pay(other)).toBe('settled');
    const heard = await other.ask('heard');
    expect(heard).not.toContain(id);
    expect(heard).toContain('pay_');
  }, 30_000);

  it('have keys of their own: the same idempotency key is another payment', async () => {
    const [one, other] = [await bed.start(ONE), await bed.start(OTHER)];
    const key = bed.key();
    for (const agent of [one, other]) expect(await agent.ask(`pay ${key}`)).toBe('settled');
    expect(await one.ask(`id ${key}`)).not.toBe(await other.ask(`id ${key}`));
    const view = await bed.stage.status();
    expect(new Set(view.agents.map(({ jwk }) => jwk.x)).size).toBe(view.agents.length);
  }, 30_000);

  it('have mandates of their own: none pays under the other one\'s', async () => {
    const one = await bed.start(ONE);
    expect(await one.ask(`under ${await mandateOf(OTHER)} ${bed.key()}`)).toBe('mandate.unknown');
  }, 30_000);
});

describe.runIf(process.getuid?.() === 0)('two agents of different users under one sidecar', () => {
  const open = async (): Promise<void> => {
    await chmod(bed.stage.dir, 0o711);
    await chown(bed.stage.socket, 0, GROUP);
  };

  it('pay each for itself, and see, spend and hear nothing of the other', async () => {
    await open();
    const [alice, bob] = [await bed.start(ALICE), await bed.start(BOB)];
    expect(await bob.ask('listen')).toBe('listening');
    const key = bed.key();
    for (const agent of [alice, bob]) expect(await agent.ask(`pay ${key}`)).toBe('settled');
    const id = await alice.ask(`id ${key}`);
    expect(await alice.ask(`get /v1/payments/${id}`)).toBe('settled');
    for (const path of [`/v1/payments/${id}`, `/v1/payments/${id}/bundle`]) expect(await bob.ask(`get ${path}`)).toBe('intake.not_found');
    const heard = await bob.ask('heard');
    expect(heard).toContain(await bob.ask(`id ${key}`));
    expect(heard).not.toContain(id);
    expect(await bob.ask(`under ${await mandateOf(ALICE)} ${bed.key()}`)).toBe('mandate.unknown');
    expect(await alice.ask(`under ${await mandateOf(ALICE)} ${bed.key()}`)).toBe('settled');
  }, 30_000);

  it('are not each other: the very program of one, run by the other user, is nobody', async () => {
    await open();
    const [command, ...before] = as(BOB.uid ?? 0, bed.root(ALICE));
    const posing = await bed.ready(new Process('posing', command, [...before, bed.stage.socket]));
    expect(await bed.pay(posing)).toBe('peer.unknown');
    expect(await posing.ask('get /v1/status')).toBe('peer.unknown');
    expect(await bed.pay(await bed.start(ALICE))).toBe('settled');
  }, 30_000);
});
