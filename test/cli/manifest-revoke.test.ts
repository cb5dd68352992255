/** `ari manifest revoke`: by a publisher with another key of hers, by the operator, and by nobody else. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { seal } from '../../src/objects/signed.js';
import { MANIFEST } from '../support/agent.js';
import { TestPayer } from '../verifier/support/payer.js';
import { answer, ari } from './support.js';

let payer: TestPayer;
let mandateId: string;
const at = (name: string): string => join(payer.service.dir, name);
beforeAll(async () => {
  payer = await TestPayer.start();
  for (const [publisher, key] of [['publisher.example', 'hers'], ['other.example', 'another']] as const) {
    await ari('manifest', 'key', at(key));
    expect((await ari('verifier', 'publisher', publisher, '-k', at(`${key}.pub`), '-c', at('verifier.toml'))).status).toBe(0);
  }
  await payer.service.restart();
  await payer.enrol();
  await payer.openCarrier();
  mandateId = await payer.giveMandate();
  writeFileSync(at('agent.jwt'), `${payer.manifest.token}\n`);
});
afterAll(() => payer.stop());

const revoke = (file: string, ...who: string[]) => answer('manifest', 'revoke', at(file), '-u', payer.service.running.url, ...who, '--json');
const stateOf = async () => (await answer('mandate', 'show', mandateId, '-u', payer.service.running.url, '--admin-token-file', at('admin.token'))).out.split('\n')[0];

it('asks who it is that revokes', async () => expect((await revoke('agent.jwt')).status).toBe(2));

it('takes no word of another publisher', async () => {
  const refused = await revoke('agent.jwt', '-k', at('another'));
  expect([refused.status, refused.out]).toEqual([1, expect.stringContaining('token.signature')]);
  expect(await stateOf()).toContain('is valid');
});

it('ends a version at the word of its publisher, and the user sees why her mandate ended', async () => {
  expect(await revoke('agent.jwt', '-k', at('hers'))).toMatchObject({ status: 0, json: { manifest_sha256: payer.manifest.sha256, state: 'revoked' } });
  expect(await stateOf()).toContain('is revoked (its agent version was revoked)');
});

it('ends a version at the word of the operator, when a device has brought it', async () => {
  const next = seal(AGENT_MANIFEST, { ...MANIFEST, agent: { ...MANIFEST.agent, version: '2' } }, payer.publisher);
  writeFileSync(at('next.jwt'), next);
  expect((await revoke('next.jwt', '--admin-token-file', at('admin.token'))).out).toContain('intake.not_found');
  expect((await revoke('agent.jwt', '--admin-token-file', at('admin.token'))).status).toBe(0);
});
