import { describe, expect, it } from 'vitest';
import { targetOf } from '../../../src/protocols/index.js';
import { codeOf } from '../../support/fault.js';

describe('the target of a proxied request', () => {
  it.each([
    ['/x/ucp/shop.example/ucp/v1/checkout-sessions/chk_1', 'https://shop.example', 443, '/ucp/v1/checkout-sessions/chk_1'],
    ['/x/acp/xn--bcher-kva.example:8443/checkout_sessions', 'https://xn--bcher-kva.example:8443', 8443, '/checkout_sessions'],
    ['/x/x402/192.0.2.1/a%20b?q=%2F..%2f', 'https://192.0.2.1', 443, '/a%20b?q=%2F..%2f'],
    ['/x/ap2/localhost:1/', 'https://localhost:1', 1, '/'],
  ])('of %s is %s', (url, origin, port, path) => {
    expect(targetOf(url)).toMatchObject({ origin, port, path });
  });

  it.each(['mcp', 'native', 'UCP', '', 'ucp%20'])('is none for the protocol "%s"', (protocol) => {
    expect(codeOf(() => targetOf(`/x/${protocol}/shop.example/a`))).toBe('intake.protocol');
  });

  it.each([
    'user@shop.example', 'user:pass@shop.example', 'shop.example.', 'SHOP.example', 'shop.example:443', 'shop.example:0443', 'shop.example:99999', 'shop.example:', 'shop.example:80@evil.example',
    '-shop.example', 'shop-.example', 'shop..example', '.shop.example', 'shop%2eexample', 'bücher.example', 'xn--zzzzzzzzzzzzz99999.example', 'shop_1.example', 'shop.example\\evil', '[::1]', '[::ffff:169.254.169.254]',
    '0x7f.0.0.1', '0177.0.0.1', '2130706433', '127.1', '127.0.0.1.', '1.2.3.256', '', 'a'.repeat(64), `${'a.'.repeat(200)}example`,
  ])('is none for the host "%s"', (host) => {
    expect(codeOf(() => targetOf(`/x/ucp/${host}/a`))).toBe('intake.target');
  });

  it.each([
    '//complete', '/a//b', '/a/../b', '/a/./b', '/..', '/a/..%2fb', '/a%2Fb', '/a%2fb', '/a%5Cb', '/a\\b', '/%2e%2e/b', '/a/%2E%2E/b', '/a%00', '/a%63b', '/a%41', '/a%7Eb', '/a%252Fb', '/a%3Fb', '/a%23b', '/a#b', '/a;v=1/b', '/a%3Bb', '/a b', '/a%', '/a%4', '/a%zz', '/é', '/a/', '',
  ].filter((path) => path !== ''))('is none for the path "%s"', (path) => {
    expect(codeOf(() => targetOf(`/x/ucp/shop.example${path}`))).toBe('intake.target');
  });

  it('is as long as an address may be, and no longer', () => {
    expect(codeOf(() => targetOf(`/x/ucp/shop.example/${'a'.repeat(4000)}`))).toBeNull();
    expect(codeOf(() => targetOf(`/x/ucp/shop.example/${'a'.repeat(4096)}`))).toBe('intake.target');
  });
});
