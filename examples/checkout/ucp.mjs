/** Buys over UCP: make a checkout, complete it. The credential says that the sidecar pays; the amount is the shop's own. */
export async function buy(ask, { item, key, task, id }) {
  const headers = { 'ucp-agent': 'profile="https://agent.example/.well-known/ucp"', ...(task && { 'ari-task': task }) };
  const checkout = id ? await ask('GET', `/ucp/v1/checkout-sessions/${id}`, { headers }) : await ask('POST', '/ucp/v1/checkout-sessions', { headers: { ...headers, 'idempotency-key': `${key}-create` }, body: { line_items: [{ item: { id: item }, quantity: 1 }] } });
  const handler = checkout.body.ucp?.payment_handlers?.['example.ari.fund_carrier']?.[0]?.id;
  if (handler === undefined) return checkout;
  const instrument = { id: 'pi_1', handler_id: handler, type: 'ari.fund_carrier', credential: { type: 'ari.execution', token: 'ari-payment' } };
  return ask('POST', `/ucp/v1/checkout-sessions/${checkout.body.id}/complete`, { headers: { ...headers, 'idempotency-key': key }, body: { payment: { instruments: [instrument] } } });
}
