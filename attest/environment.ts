/**
 * What surrounds an agent, held against the table of the policy: what it may do to the machine, and what the kernel lets others do to it. Pure.
 *
 * The adversary is who opened the kernel or the process a little: nothing was injected yet that could be found. What the kernel does not say, and what is
 * the process's own word (its environment, in attach mode), satisfies no row.
 */
import { type Finding, finding } from '../src/base/fault.js';
import type { Code } from '../src/codes.js';
import { type AgentClaims, LOCKDOWNS } from '../src/objects/claims.js';
import { CAPABILITY_BITS, ENVIRONMENTS, type EnvironmentPolicy, TAINTS, type Weight } from '../src/objects/environment.js';

type Rules = { readonly [K in keyof EnvironmentPolicy]-?: NonNullable<EnvironmentPolicy[K]> };
type RowCode = Extract<Code, `agent.host_${'ptrace' | 'lockdown' | 'modules' | 'tainted'}` | `agent.${'privileged' | 'new_privileges' | 'unfiltered' | 'unit' | 'variables'}`>;
/** `breach`: what does not hold; null when the claims show that it does. */
interface Row<K extends keyof Rules> { readonly code: RowCode; readonly breach: (asked: Rules[K], claims: AgentClaims) => string | null }

const NOT_SAID = 'the kernel does not say';
/** More names than the claims hold may have been there. */
const NAMES_TOLD = 128;

/** Names of the bits that are set and not allowed. */
function bitsBeyond(bits: bigint, names: readonly string[], allowed: readonly string[]): string | null {
  const beyond: string[] = [];
  for (let at = 0; bits >> BigInt(at) > 0n; at++) {
    const name = names[at] ?? `bit ${at}`;
    if ((bits >> BigInt(at)) & 1n && !allowed.includes(name)) beyond.push(name);
  }
  return beyond.length === 0 ? null : beyond.join(' ');
}

function variablesBeyond(allowed: readonly string[], { mode, process: { envNames } }: AgentClaims): string | null {
  if (mode === 'attach') return 'the process alone says what they are';
  if (envNames.length >= NAMES_TOLD) return 'there are too many';
  const beyond = envNames.filter((name) => !allowed.includes(name));
  return beyond.length === 0 ? null : beyond.join(' ').slice(0, 512);
}

const ROWS: { readonly [K in keyof Rules]: Row<K> } = {
  ptraceScope: { code: 'agent.host_ptrace', breach: ({ min }, { kernel: { ptraceScope: is } }) => (is === null ? NOT_SAID : is >= min ? null : `it is ${is}, at least ${min} is asked`) },
  lockdown: { code: 'agent.host_lockdown', breach: ({ min }, { kernel: { lockdown: is } }) => (is === null ? NOT_SAID : LOCKDOWNS.indexOf(is) >= LOCKDOWNS.indexOf(min) ? null : `it is ${is}, at least ${min} is asked`) },
  signedModules: { code: 'agent.host_modules', breach: (_, { kernel: { signedModules: is } }) => (is === null ? NOT_SAID : is ? null : 'unsigned ones are taken') },
  tainted: { code: 'agent.host_tainted', breach: ({ allowed }, { kernel: { tainted: is } }) => (is === null ? NOT_SAID : bitsBeyond(BigInt(is), TAINTS, allowed)) },
  capabilities: { code: 'agent.privileged', breach: ({ allowed }, { process: { capEff } }) => bitsBeyond(BigInt(`0x${capEff}`), CAPABILITY_BITS, allowed) },
  noNewPrivs: { code: 'agent.new_privileges', breach: (_, { process: { noNewPrivs } }) => (noNewPrivs ? null : 'PR_SET_NO_NEW_PRIVS is off') },
  seccomp: { code: 'agent.unfiltered', breach: (_, { process: { seccomp } }) => (seccomp > 0 ? null : 'it runs without seccomp') },
  unit: { code: 'agent.unit', breach: ({ allowed }, { process: { unit } }) => (unit === null ? 'it runs in none' : allowed.includes(unit) ? null : `it is ${unit}`) },
  variables: { code: 'agent.variables', breach: ({ allowed }, claims) => variablesBeyond(allowed, claims) },
};

/** A row of the policy that does not hold, and what that weighs. */
export interface Breach { readonly finding: Finding; readonly weight: Weight }

function breachOf<K extends keyof Rules>(name: K, asked: Rules[K], claims: AgentClaims): Breach[] {
  const { code, breach } = ROWS[name];
  const what = breach(asked, claims);
  return what === null ? [] : [{ finding: finding(code, { what: what.replace(/\p{Cc}/gu, '?') }), weight: asked.otherwise }];
}

const breachesOf = (claims: AgentClaims, policy: EnvironmentPolicy): Breach[] =>
  (Object.keys(ROWS) as (keyof Rules)[]).flatMap((name) => {
    const asked = policy[name];
    return asked === undefined ? [] : breachOf(name, asked, claims);
  });

const { noNewPrivs: _, seccomp: __, ...TOLD } = ENVIRONMENTS.production;

/** Every row that does not hold. A policy without a table asks for nothing: what is open is noted all the same, the kernel's part in one sentence. */
export function environmentBreaches(claims: AgentClaims, policy: EnvironmentPolicy | undefined): Breach[] {
  if (policy !== undefined) return breachesOf(claims, policy);
  const findings = breachesOf(claims, TOLD).map((breach) => breach.finding);
  const open = findings.filter(({ code }) => code !== 'agent.privileged');
  const notes = [...findings.filter(({ code }) => code === 'agent.privileged'), ...(open.length === 0 ? [] : [finding('agent.host_open', { what: open.map(({ message }) => message).join('; ') })])];
  return notes.map((note) => ({ finding: note, weight: 'note' }));
}
