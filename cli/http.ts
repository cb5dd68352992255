/** The command line's way to a verifier's HTTP API: JSON in, JSON out, problems as faults. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Fault, fault, faultTold } from '../src/base/fault.js';
import { type Json, parseJson } from '../src/base/json.js';
import { isCode } from '../src/codes.js';

export interface Api { get(path: string): Promise<Json>; post(path: string, body: Json): Promise<Json> }
/** `prove`: makes the `Authorization` header of each request from what is sent; `bearer`: the operator's token. */
export interface ApiOptions { url: string; ca?: string | undefined; bearer?: string | undefined; prove?: ((request: Sent) => string) | undefined }
export interface Sent { readonly method: 'GET' | 'POST'; readonly url: string; readonly body: string | undefined }

const DEADLINE_MS = 30_000;
const ANSWER_MAX = 16_777_216;

interface Exchange { readonly method: string; readonly headers: Record<string, string>; readonly body?: string | undefined; readonly ca?: string | undefined; readonly max: number; readonly keepAlive?: true }

/** One request and its whole answer. @throws Fault link.offline, intake.too_large */
function exchange(target: URL, { method, headers, body, ca, max, keepAlive }: Exchange): Promise<{ status: number; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const offline = (cause: unknown): void => reject(cause instanceof Fault ? cause : new Fault('link.offline', {}, cause));
    const options = { method, headers, timeout: DEADLINE_MS, ...(keepAlive ? {} : { agent: false as const }), ...(ca === undefined ? {} : { ca }) };
    const request = target.protocol === 'https:' ? httpsRequest(target, options) : httpRequest(target, options);
    request.once('error', offline);
    request.once('timeout', () => request.destroy(new Error('timeout')));
    request.once('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        size += part.length;
        if (size > max) response.destroy(new Fault('intake.too_large', { size: `more than ${max}`, max }));
        parts.push(part);
      });
      response.once('error', offline);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(parts) }));
    });
    request.end(body);
  });
}

export function apiOf({ url, ca, bearer, prove }: ApiOptions): Api {
  const call = async (method: 'GET' | 'POST', path: string, value?: Json): Promise<Json> => {
    const target = new URL(path, url);
    const body = value === undefined ? undefined : JSON.stringify(value);
    const authorization = prove?.({ method, url: target.href, body }) ?? (bearer === undefined ? undefined : `Bearer ${bearer}`);
    const headers = { accept: 'application/json', ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(authorization === undefined ? {} : { authorization }) };
    const { status, bytes } = await exchange(target, { method, headers, ca, max: ANSWER_MAX, body });
    return answer(status, parseJson(bytes, { bytes: ANSWER_MAX }));
  };
  return { get: (path) => call('GET', path), post: (path, body) => call('POST', path, body) };
}

/** A file over HTTP; null when there is none. @throws Fault link.offline, link.protocol, intake.too_large */
export async function download(url: string, { ca, max }: { ca?: string | undefined; max: number }): Promise<Buffer | null> {
  const { status, bytes } = await exchange(new URL(url), { method: 'GET', headers: {}, ca, max, keepAlive: true });
  if (status === 404) return null;
  if (status !== 200) throw fault('link.protocol', { what: `HTTP status ${status} for ${url}` });
  return bytes;
}

function answer(status: number, body: Json): Json {
  if (status < 400) return body;
  const { code, detail } = (typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {}) as { code?: unknown; detail?: unknown };
  if (typeof code === 'string' && isCode(code)) throw faultTold(code, typeof detail === 'string' ? detail : code);
  throw new Fault('link.protocol', { what: `HTTP status ${status} without a known code` });
}
