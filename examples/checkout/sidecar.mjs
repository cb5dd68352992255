/** One HTTP request over the sidecar's socket, which carries it to the shop: `/x/{protocol}/{host}/{path}`. */
import { request } from 'node:http';

export const through = (socketPath, base) => (method, path, { headers = {}, body } = {}) => new Promise((resolve, reject) => {
  const text = body === undefined ? undefined : JSON.stringify(body);
  const sent = request({ socketPath, method, path: `${base}${path}`, headers: { host: 'ari', ...(text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }), ...headers } }, (response) => {
    let answer = '';
    response.setEncoding('utf8').on('data', (part) => { answer += part; }).on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: answer === '' ? null : JSON.parse(answer) }));
  });
  sent.on('error', reject);
  sent.end(text);
});
