/** Buys over x402: ask, take the offer that a fund carrier can pay, ask again. The payload stays empty: the sidecar is the wallet. */
const decoded = (text) => JSON.parse(Buffer.from(text, 'base64').toString());
const encoded = (value) => Buffer.from(JSON.stringify(value)).toString('base64');

export async function buy(ask, { item, key, task }) {
  const headers = task ? { 'ari-task': task } : {};
  const first = await ask('GET', `/${item}`, { headers });
  if (first.status !== 402) return first;
  const { resource, accepts, extensions } = decoded(first.headers['payment-required']);
  const accepted = accepts.find(({ network }) => network.startsWith('ari:'));
  const identifier = extensions?.['payment-identifier'] ?? { info: {}, schema: {} };
  const payment = { x402Version: 2, resource, accepted, payload: {}, extensions: { ...extensions, 'payment-identifier': { ...identifier, info: { ...identifier.info, id: key.padEnd(16, '_') } } } };
  return ask('GET', `/${item}`, { headers: { ...headers, 'payment-signature': encoded(payment) } });
}
