/** One HTTP request over the sidecar's unix socket. */
import { request } from 'node:http';

export const ask = (socketPath, method, path, body, headers = {}) => new Promise((resolve, reject) => {
  const sent = request({ socketPath, method, path, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers } }, (response) => {
    let text = '';
    response.setEncoding('utf8').on('data', (part) => { text += part; }).on('error', reject);
    response.on('end', () => resolve({ status: response.statusCode, text, body: text.startsWith('{') ? JSON.parse(text) : null }));
  });
  sent.on('error', reject);
  sent.end(body && JSON.stringify(body));
});
