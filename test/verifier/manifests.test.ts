/** How a verifier comes to the manifests of agents. The device is the adversary. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { verifyKey } from '../../src/base/jws.js';
import type { LinkBody } from '../../src/link.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { seal, tokenHash } from '../../src/objects/signed.js';
import { ManifestPages } from '../../verifier/link/manifestpages.js';
import { Room } from '../../verifier/link/pages.js';
import { Manifests } from '../../verifier/manifests.js';
import { MANIFEST } from '../support/agent.js';
import { codeOf } from '../support/fault.js';
import { SIGNERS, STRANGER, keys } from '../support/keys.js';
import { TestPayer } from './support/payer.js';
import { ISSUER } from './support/service.js';

type Page = LinkBody<'manifest'>;

describe('a manifest on its way', () => {
  const TEXT = 'a'.repeat(100);
  const page = (from: number, to: number, changes: Partial<Page> = {}): Page => ({ manifestSha256: 'm', size: TEXT.length, from, text: TEXT.slice(from, to), ...changes });
  let room: Room;
  let pages: ManifestPages;
  beforeEach(() => {
    room = new Room(150);
    pages = new ManifestPages(room);
  });
  const whole = (): string | null => [page(0, 40), page(40, 80), page(80, 100)].map((each) => pages.add(each)).at(-1)!;

  it('is whole with its last page', () => expect([whole(), whole()]).toEqual([TEXT, TEXT]));

  it.each<[string, Page]>([
    ['that leaves a gap', page(50, 80)],
    ['that was there before', page(20, 80)],
    ['of another manifest', page(40, 80, { manifestSha256: 'n' })],
    ['of another size', page(40, 80, { size: 99 })],
    ['beyond its size', page(40, 80, { text: 'a'.repeat(61) })],
  ])('takes no page %s, and what was held is given up', (_, wrong) => {
    pages.add(page(0, 40));
    expect(codeOf(() => pages.add(wrong))).toBe('link.protocol');
    expect(codeOf(() => pages.add(page(40, 80)))).toBe('link.protocol');
    expect(whole()).toBe(TEXT);
  });

  it('needs room for all of it from its first page on, which it gives back when it is whole, given up or begun anew', () => {
    const other = new ManifestPages(room);
    pages.add(page(0, 40));
    pages.add(page(0, 40));
    expect(codeOf(() => other.add(page(0, 1)))).toBe('link.busy');
    pages.drop();
    expect(other.add(page(0, 1))).toBeNull();
    other.drop();
    expect(whole()).toBe(TEXT);
  });
});

describe('the memory of manifests', () => {
  const token = seal(AGENT_MANIFEST, MANIFEST, SIGNERS.publisher);
  const hash = tokenHash(token);
  let asked = 0;
  let publisher = SIGNERS.publisher;
  let owner = MANIFEST.iss;
  const manifests = new Manifests({
    addManifest: () => Promise.resolve(),
    manifest: () => { asked++; return Promise.resolve({ token, agentId: MANIFEST.agent.id, version: '1', revokedMs: null }); },
  }, { keys: (role, kid) => (publisher === SIGNERS.publisher ? keys(role, kid) : verifyKey(publisher.jwk, kid)), publisherOf: () => owner });

  it('reads a token once', async () => {
    const [first, second] = [await manifests.of(hash), await manifests.of(hash)];
    expect(first!.value).toEqual(MANIFEST);
    expect(second).toBe(first);
    expect(asked).toBe(1);
  });

  it('does not know what a publisher signed in the name of another', async () => {
    owner = 'another.example';
    await expect(manifests.add(hash, token)).rejects.toMatchObject({ code: 'agent.manifest' });
    owner = MANIFEST.iss;
    expect((await manifests.add(hash, token)).value).toEqual(MANIFEST);
  });

  it('does not outlive the trust in its publisher', async () => {
    publisher = STRANGER;
    expect(await manifests.of(hash)).toBeNull();
    publisher = SIGNERS.publisher;
    expect(await manifests.of(hash)).not.toBeNull();
  });

  it('takes none under the hash of another', () => expect(manifests.add(tokenHash(`${token}x`), token)).rejects.toMatchObject({ code: 'agent.manifest' }));
});

describe('an enrolled device', () => {
  let payer: TestPayer;
  beforeAll(async () => {
    payer = await TestPayer.start();
    await payer.enrol();
  });
  afterAll(() => payer.stop());

  const agents = async () => (await payer.service.get(`/v1/delegation/devices/${payer.deviceId}/agents`)).agents.map(({ agent_id: id }: { agent_id: string }) => id);
  const other = (id: string) => {
    const token = seal(AGENT_MANIFEST, { ...MANIFEST, agent: { ...MANIFEST.agent, id } }, payer.publisher);
    return { token, sha256: tokenHash(token) };
  };
  /** A connection that greets with one agent more, as far as its welcome. */
  const greetedWith = async (agentId: string, manifestSha256: string) => {
    payer.link.close();
    const plain = payer.hello();
    payer.hello = () => ({ ...plain, agents: [...plain.agents, { agentId, manifestSha256, jwk: payer.agent.jwk }] });
    const nonce = await payer.greet();
    payer.hello = () => plain;
    await payer.device.increment();
    payer.platform = await payer.device.platform({ nonce, aud: ISSUER });
    return (await payer.link.ask('platform', { evidence: payer.platform, log: payer.device.delta() })).body as LinkBody<'welcome'>;
  };

  it('brings each manifest once: the next connection is asked for none', async () => {
    expect((await payer.reconnect()).manifests).toEqual([]);
    expect(await agents()).toEqual([MANIFEST.agent.id]);
  });

  it('has an agent from the last page of its manifest on', async () => {
    const manifest = other('example.second');
    expect((await greetedWith('example.second', manifest.sha256)).manifests).toEqual([manifest.sha256]);
    expect(await agents()).toEqual([MANIFEST.agent.id]);
    const pages = payer.manifestPages(manifest, 300);
    expect(pages.length).toBeGreaterThan(2);
    for (const each of pages) expect(await payer.link.answerTo('manifest', each)).toBe('ack');
    expect(await agents()).toEqual(['example.second', MANIFEST.agent.id]);
  });

  it('brings none that it did not greet with, and no other under the name of one', async () => {
    const [greeted, another] = [other('example.third'), other('example.fourth')];
    await greetedWith('example.third', greeted.sha256);
    expect(await payer.link.answerTo('manifest', payer.manifestPages(another)[0]!)).toBe('link.protocol');
    expect(await payer.link.answerTo('manifest', { ...payer.manifestPages(another)[0]!, manifestSha256: greeted.sha256 })).toBe('agent.manifest');
    expect(await agents()).toEqual([MANIFEST.agent.id]);
  });

  it('has no agent under the manifest of another', async () => {
    const manifest = other('example.fifth');
    await greetedWith('example.sixth', manifest.sha256);
    expect(await payer.link.answerTo('manifest', payer.manifestPages(manifest)[0]!)).toBe('ack');
    expect((await payer.link.next('error')).code).toBe('agent.manifest');
    expect(await agents()).toEqual([MANIFEST.agent.id]);
  });

  it('brings nothing before it is proven', async () => {
    payer.link.close();
    await payer.greet();
    expect(await payer.link.answerTo('manifest', payer.manifestPages()[0]!)).toBe('link.protocol');
  });
});
