import { request } from 'node:http';

const BODY = '{"payee":{"id":"florist","origin":"https://flowers.example"},"amount":{"amount":100,"currency":"CNY"},"order":{"ref":"A"},"task_id":"birthday","scenario":"gift.flowers"}';

export const order = (socketPath, key) => new Promise((done) => {
  const sent = request({ socketPath, method: 'POST', path: '/v1/payments', headers: { 'idempotency-key': key, 'content-length': BODY.length } }, async (response) => {
    let text = '';
    for await (const part of response) text += part;
    const { code, state } = JSON.parse(text);
    done(code ?? state);
  });
  sent.on('error', (error) => done(error.code));
  sent.end(BODY);
});
