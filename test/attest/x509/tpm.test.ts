import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { blockList, blocked, firmwareText } from '../../../attest/x509/blocklist.js';
import { readCertificate } from '../../../attest/x509/certificate.js';
import { isRoca } from '../../../attest/x509/roca.js';
import { AK_PURPOSE, EK_PURPOSE, attestation, endorsement, toleranceFor, tpmOf, vendorId } from '../../../attest/x509/tpm.js';
import { parse } from '../../../src/base/shape.js';
import { type Party, ca, ek, issue, party, purposes, usage, x509 } from '../../support/authority.js';

let chip: Party;
beforeAll(async () => { chip = await party('CN=TPM'); });
const made = async (extensions: x509.Extension[]) => readCertificate(await issue({ subject: chip, issuer: chip, extensions }));
const end = new x509.BasicConstraintsExtension(false, undefined, true);
const signing = new x509.KeyUsagesExtension(usage.digitalSignature, true);

describe('an endorsement certificate', () => {
  it('is for an endorsement key, or says nothing of purposes', async () => {
    expect(endorsement(await made(ek(purposes(EK_PURPOSE))))).toBeNull();
    expect(endorsement(await made(ek()))).toBeNull();
    expect(endorsement(await made([]))).toBeNull();
  });

  it.each([
    ['EK certificate with CA=true', (): x509.Extension[] => ca()],
    ['issuing-CA EKU false pass: the authority that carries the same purpose', (): x509.Extension[] => [...ca(), purposes(EK_PURPOSE)]],
    ['one for web servers', (): x509.Extension[] => ek(purposes('1.3.6.1.5.5.7.3.1'))],
    ['one of an attestation key', (): x509.Extension[] => ek(purposes(AK_PURPOSE))],
    ['one for any purpose: the word for it is not looked for here', (): x509.Extension[] => ek(purposes('2.5.29.37.0'))],
    ['one for signatures only', (): x509.Extension[] => [end, signing]],
  ])('is not %s', async (_, extensions) => {
    expect(endorsement(await made(extensions()))?.code).toBe('cert.purpose');
  });
});

describe('an attestation certificate', () => {
  it('is for an attestation key, or for signatures and nothing else', async () => {
    expect(attestation(await made([end, signing, purposes(AK_PURPOSE)]))).toBeNull();
    expect(attestation(await made([end, signing]))).toBeNull();
  });

  it.each([
    ['one of an authority', (): x509.Extension[] => [...ca(), purposes(AK_PURPOSE)]],
    ['one of an endorsement key', (): x509.Extension[] => [end, signing, purposes(EK_PURPOSE)]],
    ['one that says nothing at all', (): x509.Extension[] => []],
    ['one for encryption', (): x509.Extension[] => [...ek(), purposes(AK_PURPOSE)]],
  ])('is not %s', async (_, extensions) => {
    expect(attestation(await made(extensions()))?.code).toBe('cert.purpose');
  });
});

describe('the TPM in a certificate', () => {
  it('is named by the directory names of its SAN', async () => {
    const san = (value: string) => new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: 'a.b' }, { type: 'dn', value }], true);
    expect(tpmOf(await made(ek(san('2.23.133.2.1=id:53544D20,2.23.133.2.2=ST33HTPHAHB4,2.23.133.2.3=id:00490004'))))).toEqual({ manufacturer: 'id:53544D20', model: 'ST33HTPHAHB4', version: 'id:00490004' });
    expect(tpmOf(await made(ek(san('2.23.133.2.1=id:49465800'))))).toEqual({ manufacturer: 'id:49465800', model: null, version: null });
    expect(tpmOf(await made(ek(san('CN=no TPM'))))).toBeNull();
  });

  it('has the oddities of its makers; a certificate of hosts has none', async () => {
    const named = (type: 'dns' | 'ip' | 'dn', value: string) => made(ek(new x509.SubjectAlternativeNameExtension([{ type, value }])));
    expect([toleranceFor(await named('dn', '2.23.133.2.1=id:53544D20')).size > 0, toleranceFor(await made(ek())).size > 0]).toEqual([true, true]);
    expect([toleranceFor(await named('dns', 'a.example')).size, toleranceFor(await named('ip', '127.0.0.1')).size]).toEqual([0, 0]);
  });

  it('has a vendor id of four characters', () => {
    expect(['id:53544D20', 'id:49465800', 'id:494E5443', 'IFX', 'id:xyz', 'id:00001014'].map(vendorId)).toEqual(['STM', 'IFX', 'INTC', 'IFX', 'ID:XYZ', '1014']);
  });
});

/** A number whose remainders are powers of 65537 modulo every small prime, as Infineon's library made its primes. */
function weakModulus(): Buffer {
  const primorial = [2n, 3n, 5n, 7n, 11n, 13n, 17n, 19n, 23n, 29n, 31n, 37n, 41n, 43n, 47n, 53n, 59n, 61n, 67n, 71n, 73n, 79n, 83n, 89n, 97n, 101n, 103n, 107n, 109n, 113n, 127n, 131n, 137n, 139n, 149n, 151n, 157n, 163n, 167n].reduce((a, b) => a * b);
  let power = 1n;
  for (let i = 0; i < 12_345; i++) power = (power * 65537n) % primorial;
  const n = power + primorial * (1n << 1800n);
  return Buffer.from(n.toString(16).padStart(512, '0'), 'hex');
}

describe('the block list', () => {
  const shipped = parse(blockList, readFileSync(new URL('../../../data/tpm-blocklist.json', import.meta.url), 'utf8'), 'block list');
  const firmware = (a: number, b: number, c = 0, d = 0): bigint => (BigInt(a) << 48n) | (BigInt(b) << 32n) | (BigInt(c) << 16n) | BigInt(d);
  const of = (manufacturer: string, kind: 'rsa' | 'ec', version: bigint, model = 'x') => blocked(shipped, { model: { manufacturer, model, version: null }, ek: kind, moduli: [], firmware: version })?.split(':')[0] ?? null;

  it.each([
    ['CVE-2017-15361 (ROCA)', 'id:49465800', 'rsa', firmware(7, 61, 3), firmware(7, 62), 'CVE-2017-15361'],
    ['CVE-2019-16863 (TPM-FAIL, STMicroelectronics)', 'id:53544D20', 'ec', firmware(73, 4), firmware(73, 20), 'CVE-2019-16863'],
    ['CVE-2019-11090 (TPM-FAIL, Intel)', 'id:494E5443', 'ec', firmware(12, 0, 32, 1421), firmware(12, 0, 35, 1427), 'CVE-2019-11090'],
    ['CVE-2023-1017 (Nuvoton)', 'id:4E544300', 'ec', firmware(1, 3, 2, 8), firmware(1, 3, 2, 20), 'CVE-2023-1017'],
  ] as const)('%s: the firmware before the remedy is refused, the remedy and another maker are not', (_, maker, kind, bad, good, id) => {
    expect(of(maker, kind, bad)).toBe(id);
    expect(of(maker, kind, good)).toBeNull();
    expect(of('id:414D4400', kind, bad)).toBeNull();
  });

  it('speaks of RSA keys where only those are weak, and of models where it names them', () => {
    expect(of('id:49465800', 'ec', firmware(7, 61))).toBeNull();
    const row = { ...shipped.rows[0]!, models: ['SLB 9670'], ek: null };
    const said = (model: string) => blocked({ rows: [row] }, { model: { manufacturer: 'IFX', model, version: null }, ek: 'ec', moduli: [], firmware: firmware(7, 61) });
    expect([said('SLB 9670') !== null, said('SLB 9672')]).toEqual([true, null]);
    expect(blocked(shipped, { model: null, ek: 'rsa', moduli: [], firmware: firmware(7, 61) })).toBeNull();
  });

  it('CVE-2017-15361: sees a key that can be factored by the key itself, whoever its maker and firmware say they are', () => {
    expect(isRoca(weakModulus())).toBe(true);
    expect(blocked({ rows: [] }, { model: null, ek: 'rsa', moduli: [weakModulus()], firmware: 0n })).toMatch('CVE-2017-15361');
    for (let i = 1; i < 200; i++) expect(isRoca(Buffer.from((BigInt(`0x${weakModulus().toString('hex')}`) + BigInt(2 * i)).toString(16), 'hex'))).toBe(false);
  });

  it('writes firmware as makers do', () => {
    expect(firmwareText(firmware(600, 1, 18))).toBe('600.1.18.0');
  });
});
