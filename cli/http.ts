/** The command line's way to a verifier's HTTP API: JSON in, JSON out, problems as faults. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Fault, faultTold } from '../src/base/fault.js';
import { type Json, parseJson } from '../src/base/json.js';
import { isCode } from '../src/codes.js';

export interface Api { get(path: string): Promise<Json>; post(path: string, body: Json): Promise<Json> }
export interface ApiOptions { url: string; ca?: string | undefined; bearer?: string | undefined }

const DEADLINE_MS = 30_000;
const ANSWER_MAX = 16_777_216;

export function apiOf({ url, ca, bearer }: ApiOptions): Api {
  const call = (method: string, path: string, body?: Json): Promise<Json> => new Promise((resolve, reject) => {
    const target = new URL(path, url);
    const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }) };
    const options = { method, headers, timeout: DEADLINE_MS, agent: false as const, ...(ca === undefined ? {} : { ca }) };
    const request = target.protocol === 'https:' ? httpsRequest(target, options) : httpRequest(target, options);
    request.once('error', (cause) => reject(new Fault('link.offline', {}, cause)));
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('error', (cause) => reject(new Fault('link.offline', {}, cause)));
      response.once('end', () => {
        try {
          resolve(answer(response.statusCode ?? 0, parseJson(Buffer.concat(parts), { bytes: ANSWER_MAX })));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}

function answer(status: number, body: Json): Json {
  if (status < 400) return body;
  const { code, detail } = (typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {}) as { code?: unknown; detail?: unknown };
  if (typeof code === 'string' && isCode(code)) throw faultTold(code, typeof detail === 'string' ? detail : code);
  throw new Fault('link.protocol', { what: `HTTP status ${status} without a known code` });
}
