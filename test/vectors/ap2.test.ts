/** AP2's own chains: the tokens of its documentation, and those that its Python SDK made in its tests, with what the SDK said about them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Json, parseJson } from '../../src/base/json.js';
import { type VerifyKey, verifyKey } from '../../src/base/jws.js';
import { discloseAll } from '../../src/sdjwt/disclosure.js';
import { claimsOf, openHop, sdHash, splitSdJwt } from '../../src/sdjwt/token.js';
import { STRANGER } from '../support/keys.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

type Members = { [name: string]: Json };
interface Recorded {
  n: number; test: string; function: string; decision: 'accept' | 'reject'; result: Members[] | null; error: string | null;
  args: { token?: string; issuer_public_key?: { $jwk?: Members }; expected_aud: string | null; expected_nonce: string | null };
  extra: { tokens: string[]; rootKey?: { $jwk?: Members } } | null;
}
const read = (file: string): never => JSON.parse(readFileSync(join(VECTORS!, 'google-agentic-commerce+AP2/derived', file), 'utf8')) as never;
const docs = VECTORS ? (read('ap2_docs.public.json') as { file: string; kind: string; token?: string }[]).flatMap(({ token }) => (token?.endsWith('~') ? [token] : [])) : [];
const recorded = VECTORS ? (read('ap2_recorded_sdjwt.public.json') as Recorded[]) : [];

/** AP2's names may stand anywhere for the members that a key needs. */
const keyOf = ({ x, y }: Members): VerifyKey => verifyKey({ kty: 'EC', crv: 'P-256', x: x as string, y: y as string });
const payloads = (disclosed: Members): Members[] => ('delegate_payload' in disclosed ? (disclosed['delegate_payload'] as Members[]) : [disclosed]);

/** A chain as this project checks it: every hop, also a middle one, under the key before it, over the token before it, for its audience and nonce. */
function openChain([root = '', ...hops]: string[], rootKey: Members, expected: { aud: string | null; nonce: string | null }): Members[] {
  const split = splitSdJwt(root);
  const said = [payloads(claimsOf(split, split.jws.typ, keyOf(rootKey).key).disclosed)[0]!];
  hops.reduce((previous, hop, i) => {
    const { jws } = splitSdJwt(hop);
    const own = parseJson(jws.payload) as { aud: string; nonce: string };
    const last = i === hops.length - 1;
    const wanted = { aud: (last ? expected.aud : null) ?? own.aud, nonce: (last ? expected.nonce : null) ?? own.nonce };
    const key = keyOf((said.at(-1)!['cnf'] as { jwk: Members }).jwk).key;
    said.push(payloads(openHop(hop, last ? 'kb+sd-jwt' : 'kb+sd-jwt+kb', sdHash(previous), key, wanted).disclosed)[0]!);
    return hop;
  }, root);
  return said;
}

describe.skipIf(!VECTORS)(vectorTitle('AP2: documentation'), () => {
  it.each(docs.map((token, i) => [i, token] as const))('token %i discloses all that its digests name, and no more', (_, token) => {
    const { jws, disclosures } = splitSdJwt(token);
    const payload = parseJson(jws.payload) as Members;
    const [open] = payloads(discloseAll(payload, disclosures) as Members);
    expect(open!['vct']).toMatch(/^mandate\.(payment|checkout)\.open\.1$/);
    expect(JSON.stringify(open)).not.toContain('"..."');
    for (let i = 0; i < disclosures.length; i++) expect(() => discloseAll(payload, disclosures.toSpliced(i, 1))).toThrow();
  });
});

/** Where this project and AP2's SDK disagree, on purpose. */
const DISAGREE: Record<string, { here: 'accept' | 'reject'; why: string }> = {
  test_temporal_future_iat: { here: 'accept', why: 'the life of a mandate is a rule of the law, not of the token' },
  test_delegation_chain_selective_disclosure: { here: 'reject', why: 'a constraint that is not shown is not enforced: a digest without its disclosure is refused' },
  test_issuer_jwt_hash_allows_cp_to_drop_bank_disclosure: { here: 'reject', why: 'a holder must not redact what the user signed' },
  test_issuer_jwt_hash_chain_without_redaction_verifies: { here: 'reject', why: 'a hop is over the whole presentation (sd_hash)' },
};
const verdict = ({ test, decision }: Recorded): { here: 'accept' | 'reject'; why: string } => DISAGREE[test.split('::')[1]!] ?? { here: decision, why: 'as the SDK' };

describe.skipIf(!VECTORS)(vectorTitle('AP2: chains that its SDK made'), () => {
  const chains = recorded.filter((one) => one.extra?.rootKey?.$jwk).map((one) => [one.test.split('::')[1]!, verdict(one), one] as const);
  it.each(chains.map(([name, { here, why }, one]) => [`${name}: ${here}, ${why}`, here, one] as const))('%s', (_, here, { extra, args, result }) => {
    const open = () => openChain(extra!.tokens, extra!.rootKey!.$jwk!, { aud: args.expected_aud, nonce: args.expected_nonce });
    if (here === 'reject') expect(open).toThrow();
    else if (result) expect(open()).toMatchObject(result);
    else expect(open()).toHaveLength(extra!.tokens.length);
  });

  it.each(chains.filter(([, { here }, { extra }]) => here === 'accept' && extra!.tokens.length > 1))('%s is refused for another audience, another nonce and another root', (_, __, { extra }) => {
    const [root, jwk] = [extra!.tokens, extra!.rootKey!.$jwk!];
    expect(() => openChain(root, jwk, { aud: 'https://attacker.example', nonce: null })).toThrow();
    expect(() => openChain(root, jwk, { aud: null, nonce: 'old' })).toThrow();
    expect(() => openChain(root, STRANGER.jwk, { aud: null, nonce: null })).toThrow();
  });

  const roots = recorded.filter((one) => one.args.token && one.args.issuer_public_key?.$jwk).map((one) => [one.n, one] as const);
  it.each(roots)('SD-JWT %i discloses under its issuer', (_, { args }) => {
    const split = splitSdJwt(args.token!);
    const open = () => claimsOf(split, 'example+sd-jwt', keyOf(args.issuer_public_key!.$jwk!).key);
    if (/"_sd":/.test(split.disclosures.map((text) => Buffer.from(text, 'base64url').toString()).join())) expect(open).toThrow();
    else expect(payloads(open().disclosed)[0]!['vct']).toMatch(/^mandate/);
  });
});
