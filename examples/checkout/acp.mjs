/** Buys over ACP: make a checkout session, complete it. The credential says that the sidecar pays; the amount is the shop's own. */
export async function buy(ask, { item, key, task, id }) {
  const headers = { 'api-version': '2026-04-17', authorization: 'Bearer demo', ...(task && { 'ari-task': task }) };
  const session = id ? await ask('GET', `/checkout_sessions/${id}`, { headers }) : await ask('POST', '/checkout_sessions', { headers: { ...headers, 'idempotency-key': `${key}-create` }, body: { line_items: [{ id: item }], currency: 'cny', capabilities: {} } });
  const handler = session.body.capabilities?.payment?.handlers?.find(({ name }) => name === 'example.ari.fund_carrier');
  if (handler === undefined) return session;
  const instrument = { type: 'ari.fund_carrier', credential: { type: 'ari.execution', token: 'ari-payment' } };
  return ask('POST', `/checkout_sessions/${session.body.id}/complete`, { headers: { ...headers, 'idempotency-key': key }, body: { payment_data: { handler_id: handler.id, instrument } } });
}
