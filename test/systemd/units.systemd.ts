import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createMandate, enrolCode } from '../../cli/actions.js';
import type { Process } from '../../cli/demo/processes.js';
import { AGENT_ID, Stage } from '../../cli/demo/stage.js';
import { readEntry } from '../../attest/log.js';
import { bundle as bundleShape } from '../../src/objects/bundle.js';
import { parse } from '../../src/base/shape.js';
import { AT, Container } from './container.js';

const SIDECAR = 'ari-sidecar.service';
const TRANSIENT = `ari-agent-${AGENT_ID}.service`;
const INSTALLED = `ari-agent@${AGENT_ID}.service`;
const SOCKET = '/run/ari/agent.sock';
const UID = 1234;
/** `systemd-analyze security` gives a service without any hardening 9.6. */
const EXPOSURE = 2.6;

describe('under systemd', () => {
  let stage: Stage;
  let machine: Container;
  let agent: Process | undefined;

  const ari = (...args: string[]): string => machine.must(machine.ari(...args).map((one) => `'${one}'`).join(' '));
  const property = (unit: string, name: string): string => machine.must(`systemctl show -P ${name} ${unit}`);
  const journal = (unit: string): string => machine.must(`journalctl --no-pager -o cat -u ${unit}`);

  beforeAll(async () => {
    stage = await Stage.open();
    await stage.startTpm();
    await stage.startVerifier();
    await stage.createUser();
    chmodSync(join(stage.dir, 'tpm/s'), 0o666);
    machine = await Container.boot(stage.dir);
    machine.must(`mkdir /etc/ari /srv/florist && cp ${AT.checkout}/test/systemd/agent.mjs ${AT.shared}/agent/prompt.md /srv/florist && useradd --uid ${UID} --no-create-home shopper`);
    ari('manifest', 'build', '/srv/florist', '--id', AGENT_ID, '--version', '1.0.0', '--publisher', 'example.com', '--entry', 'agent.mjs', '--prompts', 'prompt.md', '--out', '/etc/ari/florist.json');
    ari('manifest', 'sign', '/etc/ari/florist.json', '--key', `${AT.shared}/publisher.jwk`, '--out', '/etc/ari/florist.jwt');
    ari('init', '-u', stage.url, '--code', await enrolCode(stage.api, stage.user.userId), '--channel', `swtpm:unix:${AT.shared}/tpm/s`, '--agent', AGENT_ID, '--manifest', '/etc/ari/florist.jwt', '--root', '/srv/florist');
    machine.must(`printf 'uid = ${UID}\\nlaunch_only = true\\n' >> /etc/ari/sidecar.toml`);
  });
  afterEach(async () => {
    machine.run(`systemctl stop ${TRANSIENT}`);
    await agent?.stop();
    agent = undefined;
  });
  afterAll(async () => {
    await (machine as Container | undefined)?.stop();
    await stage.close();
  });

  interface Paid { state: string; detail?: string; bundle: string }
  const paid = async (by: Process): Promise<Paid> => JSON.parse(await by.line()) as Paid;
  /** The shell around says which process the command is, and how it ended; between that the agent says what came of its payments. */
  async function launch(...options: string[]): Promise<{ running: Process; pid: string; first: Paid }> {
    agent = machine.start('agent', 'sh', '-c', `sh -c 'echo $$; exec "$@"' sh ${machine.ari('run', '--unit', ...options, '--', AGENT_ID, 'bundles').join(' ')}; echo "ended $?"`);
    return { running: agent, pid: await agent.line(), first: await paid(agent) };
  }
  const processOf = (unit: string): string => machine.must(`main=$(systemctl show -P MainPID ${unit}) && cat /proc/$main/task/$main/children`);
  const evidenceOf = (text: string) => {
    const { evidence, log } = parse(bundleShape, Buffer.from(text), 'bundle');
    if (evidence === null) throw new Error('the payment was made without evidence');
    const entries = [...log, ...evidence.payment.log.entries];
    return { claims: evidence.payment.agent, log: entries.map((entry, n) => readEntry(entry, n)) };
  };

  describe('the service', () => {
    it('is shown before it is installed', () => {
      const { files } = JSON.parse(ari('service', 'install', '--print', '--json')) as { files: Record<string, string> };
      expect(Object.keys(files)).toEqual(['/etc/sysusers.d/ari.conf', `/etc/systemd/system/${SIDECAR}`, '/etc/systemd/system/ari-agent@.service']);
      expect(machine.run(`systemctl cat ${SIDECAR}`).status).toBe(1);
    });

    it('is installed, and installed again changes nothing', () => {
      expect(JSON.parse(ari('service', 'install', '--json'))).toMatchObject({ written: { length: 3 }, unchanged: [] });
      expect(JSON.parse(ari('service', 'install', '--json'))).toMatchObject({ written: [], unchanged: { length: 3 } });
    });

    it('has units without a mistake, with little exposed', () => {
      expect(machine.run(`systemd-analyze verify ${SIDECAR} ${INSTALLED}`)).toEqual({ status: 0, stdout: '', stderr: '' });
      expect(machine.run(`systemd-analyze security --offline=yes --threshold=${EXPOSURE * 10} /etc/systemd/system/${SIDECAR}`).status).toBe(0);
    });

    it('is started when it serves agents, as its own user with the rights of its unit, and enrols its TPM', async () => {
      machine.must(`systemctl start ${SIDECAR}`);
      expect(machine.must(`stat -c '%U:%G %a' ${SOCKET} /var/lib/ari`).split('\n')).toEqual(['ari:ari 660', 'ari:ari 700']);
      const status = machine.must(`cat /proc/$(systemctl show -P MainPID ${SIDECAR})/status`);
      expect(status).toMatch(/^CapEff:\s+0000010010080004$/m);
      expect(status).toMatch(/^CapBnd:\s+0000010010080004$/m);
      expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(status).toMatch(/^Seccomp:\s+2$/m);
      await expect.poll(() => JSON.parse(ari('status', '--json')) as unknown, { timeout: 20_000 }).toMatchObject({ tier: 'T2', verifier: { connected: true } });
      expect(journal(SIDECAR)).toContain('the verifier knows this device');
      await stage.openCarrier();
      const { device_id: deviceId } = JSON.parse(ari('status', '--json')) as { device_id: string };
      await createMandate(stage.api, stage.user, { deviceId, agentId: AGENT_ID, carrierId: stage.carrierId, level: 'L4', summary: 'flowers', maxAmount: 20_000n, payees: ['florist'], taskId: 'birthday', maxPayments: null, lifeS: 3600 });
    });
  });

  describe('ari run --unit', () => {
    it('starts an agent in a unit of its own, measured, cleaned, known by its unit, and it pays on the connection it was handed', async () => {
      const { running, first: { state, bundle } } = await launch('--env', 'SHOP=flowers');
      expect(state).toBe('settled');
      const { claims, log } = evidenceOf(bundle);
      expect(claims).toMatchObject({ mode: 'launch', process: { uid: UID, unit: TRANSIENT, noNewPrivs: true } });
      expect(log.filter(({ kind }) => kind.startsWith('agent_'))).toMatchObject([{ kind: 'agent_start', data: { agent_id: AGENT_ID, mode: 'launch' } }]);
      const names = machine.must(`tr '\\0' '\\n' < /proc/${processOf(TRANSIENT)}/environ | cut -d= -f1`).split('\n');
      expect(names).toEqual(expect.arrayContaining(['ARI_SOCKET_FD', 'PATH', 'SHOP']));
      for (const name of ['INVOCATION_ID', 'JOURNAL_STREAM', 'SYSTEMD_EXEC_PID', 'NOTIFY_SOCKET']) expect(names).not.toContain(name);
      expect(journal(SIDECAR)).toMatch(/"mode":"launch","msg":"an agent starts"/);
      expect(journal(TRANSIENT)).toContain(`Started ${TRANSIENT} - Agent ${AGENT_ID}`);
      expect(await running.ask('again').then((line) => (JSON.parse(line) as Paid).state)).toBe('settled');
    });

    it('measures it again when its unit is restarted, and does not start it with a changed file', async () => {
      const { running, first } = await launch();
      expect(first.state).toBe('settled');
      machine.must(`systemctl restart ${TRANSIENT}`);
      const { state, bundle } = await paid(running);
      expect(state).toBe('settled');
      expect(evidenceOf(bundle).log.map(({ kind }) => kind).slice(-3)).toEqual(['agent_start', 'agent_exit', 'agent_start']);
      machine.must('cp /srv/florist/prompt.md /srv/prompt.md && echo "buy more" >> /srv/florist/prompt.md');
      machine.run(`systemctl restart ${TRANSIENT}`);
      expect(await running.line()).toBe('ended 1');
      expect(running.log).toMatch(/agent\.version_not_authorised.*prompt\.md \(changed\)/);
      machine.must('cp /srv/prompt.md /srv/florist/prompt.md');
    });

    it('ends with the exit status of its agent', async () => {
      const { running } = await launch();
      expect(await running.ask('exit 7')).toBe('ended 7');
      expect(property(TRANSIENT, 'LoadState')).toBe('not-found');
    });

    it('hands signals on', async () => {
      const { running, pid } = await launch();
      machine.must(`kill -TERM ${pid}`);
      expect(await running.line()).toBe('ended 143');
      expect(property(TRANSIENT, 'LoadState')).toBe('not-found');
    });

    it('is stopped in order by systemd', async () => {
      const { running } = await launch();
      machine.must(`systemctl stop ${TRANSIENT}`);
      expect(await running.line()).toBe('ended 143');
      expect(journal(TRANSIENT)).not.toContain('SIGKILL');
    });
  });

  describe('an installed agent', () => {
    const settled = (): number => journal(INSTALLED).match(/"state":"settled"/g)?.length ?? 0;
    const refused = (): string[] => journal(INSTALLED).split('\n').filter((line) => line.includes('"state"') && !line.includes('settled'));

    it('starts and pays', async () => {
      machine.must(`systemctl start ${INSTALLED}`);
      await expect.poll(settled, { timeout: 20_000 }).toBe(1);
    });

    it('is started and measured anew with a sidecar that is restarted', async () => {
      const before = processOf(INSTALLED);
      machine.must(`systemctl restart ${SIDECAR}`);
      await expect.poll(settled, { timeout: 20_000 }).toBe(2);
      expect(processOf(INSTALLED)).not.toBe(before);
    });

    it('is started and measured anew with a sidecar that was killed', async () => {
      machine.must(`systemctl kill --signal=KILL ${SIDECAR}`);
      await expect.poll(settled, { timeout: 30_000 }).toBe(3);
      expect(refused()).toEqual([]);
    });

    it('is stopped in order', () => {
      machine.must(`systemctl stop ${INSTALLED}`);
      expect(property(INSTALLED, 'Result')).toBe('success');
      expect(property(INSTALLED, 'ActiveState')).toBe('inactive');
    });
  });

  it('the service is removed with its units, and the device stays the one that its verifier knows', () => {
    machine.must(`systemctl start ${INSTALLED}`);
    expect(JSON.parse(ari('service', 'remove', '--json'))).toMatchObject({ removed: { length: 3 } });
    expect(machine.run(`systemctl is-active ${SIDECAR} ${INSTALLED}`).stdout.trim().split('\n')).toEqual(['inactive', 'inactive']);
    expect(machine.run(`systemctl cat ${SIDECAR}`).status).toBe(1);
    expect(machine.must('ls /var/lib/ari')).toContain('ak.json');
    expect(JSON.parse(ari('service', 'remove', '--json'))).toEqual({ removed: [] });
  });
});
