/**
 * Faults: hostile input, device, network. A policy's "no" is a decision and an appraisal's detail a finding: both are values, never thrown.
 * What a fault may say, to whom it points and how it is mended stands in one table, {@link CODES}.
 */
import { CODES, type Code } from '../codes.js';

type Holes<S extends string> = S extends `${string}{${infer K}}${infer R}` ? K | Holes<R> : never;
/** The facts a code's sentence needs, derived from the `{holes}` in it. */
export type Details<C extends Code> = { [K in Holes<(typeof CODES)[C]['sentence']>]: string | number | bigint };
type DetailsArgument<C extends Code> = [Holes<(typeof CODES)[C]['sentence']>] extends [never] ? [details?: Record<string, never>] : [details: Details<C>];

type Facts = Record<string, string | number | bigint>;

/** The sentence of a code with its facts filled in. */
const sentence = (code: Code, facts: Facts = {}): string => CODES[code].sentence.replace(/\{(\w+)\}/g, (_, name: string) => String(facts[name] ?? '?'));

/** One observation of an appraisal or adjudication. Values only: they are gathered, signed and logged. */
export interface Finding { code: Code; message: string }

export const finding = <C extends Code>(code: C, ...details: DetailsArgument<C>): Finding => ({ code, message: sentence(code, details[0] as Facts | undefined) });

/** An error with a stable code. `fix` is the next step for the person who reads it; `cause` never leaves the process. */
export class Fault extends Error {
  readonly code: Code;
  readonly status: number;
  readonly blame: string;
  readonly fix: string;

  constructor(code: Code, facts?: Facts, cause?: unknown) {
    super(sentence(code, facts), cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
    this.status = CODES[code].status;
    this.blame = CODES[code].blame;
    this.fix = CODES[code].fix;
  }

  /** What a peer may see: RFC 9457 problem members, without the cause. */
  problem(): { type: string; title: string; status: number; detail: string; code: Code; fix: string } {
    return { type: `tag:ari.example,2026:code/${this.code}`, title: this.code, status: this.status, detail: this.message, code: this.code, fix: this.fix };
  }
}

/** A fault as another process told it: its code, its words. */
export const faultTold = (code: Code, message: string): Fault => Object.assign(new Fault(code), { message });

/** A fault with the details its sentence needs: wrong or missing details do not compile. */
export const fault = <C extends Code>(code: C, ...args: [...DetailsArgument<C>]): Fault => new Fault(code, args[0] as Facts | undefined);

/** Any thrown thing as a fault; what is not one becomes `bug.internal` with its cause kept inside. */
export const asFault = (error: unknown): Fault => (error instanceof Fault ? error : new Fault('bug.internal', {}, error));
