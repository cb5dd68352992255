import type { z } from 'zod';
import { sha256Text } from '../../src/base/shape.js';
import { carrier, carrierRules, authorityState } from '../../src/objects/carrier.js';
import { agentClaims } from '../../src/objects/claims.js';
import { confirmation, decision, policy } from '../../src/objects/decision.js';
import { deviceRecord } from '../../src/objects/device.js';
import { ear } from '../../src/objects/ear.js';
import { merchantEar } from '../../src/objects/merchant.js';
import { binding, evidence, logEntry, paymentEvidence, platformBinding, platformEvidence } from '../../src/objects/evidence.js';
import { offlineAllowance } from '../../src/objects/allowance.js';
import { intent } from '../../src/objects/intent.js';
import { decisionLeaf, resultLeaf } from '../../src/objects/leaf.js';
import { closedPayment, keyBinding, mandate, openPayment } from '../../src/objects/mandate.js';
import { agentManifest } from '../../src/objects/manifest.js';
import { executionToken, receipt, refund } from '../../src/objects/settlement.js';

/** The objects of one payment in the order in which they are made (DESIGN section 4). None may name a later one. */
export const OBJECTS: Readonly<Record<string, readonly z.ZodType[]>> = {
  log: [logEntry],
  policy: [policy],
  device: [deviceRecord],
  manifest: [agentManifest],
  rules: [carrierRules],
  carrier: [carrier],
  mandate: [mandate, openPayment],
  allowance: [offlineAllowance],
  intent: [intent],
  closed: [closedPayment, keyBinding],
  claims: [agentClaims],
  platform: [platformBinding, platformEvidence],
  binding: [binding],
  payment: [paymentEvidence],
  evidence: [evidence],
  ear: [ear, merchantEar],
  confirmation: [confirmation],
  state: [authorityState],
  decision: [decision],
  'decision leaf': [decisionLeaf],
  execution: [executionToken],
  receipt: [receipt, refund],
  'result leaf': [resultLeaf],
};

/** Which object a member names. null: something that is no object of ours (a file, the payee's terms), or an earlier one of its own kind. */
export const MEMBERS: Readonly<Record<string, string | null>> = {
  manifest_sha256: 'manifest', rules_sha256: 'rules', mandate_sha256: 'mandate', sd_hash: 'mandate', closed_sha256: 'closed', reference: 'closed',
  payment_sha256: 'intent', agent_sha256: 'claims', platform_sha256: 'platform', log_epoch: 'log', epoch: 'log', ari_evidence: 'evidence', ear_sha256: 'ear',
  allowance_sha256: 'allowance', carrier_sha256: 'carrier', revisions_sha256: 'carrier', confirmation_sha256: 'confirmation', state_sha256: 'state', policy: 'policy', decision_sha256: 'decision', execution_sha256: 'execution', proof: 'decision leaf',
  /* leaves */
  payment: 'intent', mandate: 'mandate', carrier: 'carrier', ear: 'ear', confirmation: 'confirmation', decision: 'decision', execution: 'execution', receipt: 'receipt', prev: null, subject: null, receipt_sha256: null,
  /* not ours */
  nonce: null, jkt: null, x: null, y: null, '...': null, sha256: null, terms_sha256: null, body_sha256: null, text_sha256: null, conditional_transaction_id: null, transaction_id: null, namespaces: null, cgroup: null, path: null,
};

type Def = { type: string; innerType?: z.ZodType; element?: z.ZodType; in?: z.ZodType; options?: z.ZodType[]; valueType?: z.ZodType; shape?: Record<string, z.ZodType> };
const defOf = (schema: z.ZodType): Def => (schema as unknown as { _zod: { def: Def } })._zod.def;

/** The schemas directly inside one: what is behind nullable, optional, arrays, unions and codecs. */
const inside = (schema: z.ZodType): z.ZodType[] => {
  const { innerType, element, in: wire, options, valueType } = defOf(schema);
  return [innerType, element, wire, valueType, ...(options ?? [])].filter((each) => each !== undefined);
};

/** Names an object by hash or token: anything that is a SHA-256, however wrapped. */
const isHash = (schema: z.ZodType): boolean => schema === sha256Text || inside(schema).some(isHash);
const ofShape = (schema: z.ZodType): string | undefined => Object.keys(OBJECTS).find((name) => OBJECTS[name]!.includes(schema));

export interface Graph { readonly edges: ReadonlyMap<string, ReadonlySet<string>>; readonly unknown: readonly string[] }

/** Which object names which, by hash, token, proof or by holding it. `unknown`: members that name something and that the table does not know. */
export function graphOf(objects: Readonly<Record<string, readonly z.ZodType[]>> = OBJECTS): Graph {
  const unknown: string[] = [];
  const edges = new Map(Object.entries(objects).map(([object, schemas]) => {
    const named = new Set<string>();
    const visit = (schema: z.ZodType, member: string, trail: string): void => {
      const held = ofShape(schema);
      if (held !== undefined && held !== object) return void named.add(held);
      for (const [name, field] of Object.entries(defOf(schema).shape ?? {})) {
        const subject = name === 'sha256' && MEMBERS[member] !== undefined ? member : name;
        const target = MEMBERS[subject];
        if (target === undefined && (isHash(field) || /_sha256$|^proof$/.test(name))) unknown.push(`${trail}.${name}`);
        if (target !== null && target !== undefined && (isHash(field) || subject === 'proof')) named.add(target);
        visit(field, name, `${trail}.${name}`);
      }
      for (const each of inside(schema)) visit(each, member, trail);
    };
    for (const schema of schemas) visit(schema, '', object);
    return [object, named];
  }));
  return { edges, unknown };
}

/** A way from an object back to itself, or null. */
export function cycleOf({ edges }: Pick<Graph, 'edges'>): string[] | null {
  const done = new Set<string>();
  const walk = (node: string, trail: string[]): string[] | null => {
    if (trail.includes(node)) return [...trail.slice(trail.indexOf(node)), node];
    if (done.has(node)) return null;
    done.add(node);
    for (const next of edges.get(node) ?? []) {
      const found = walk(next, [...trail, node]);
      if (found) return found;
    }
    return null;
  };
  for (const node of edges.keys()) {
    const found = walk(node, []);
    if (found) return found;
  }
  return null;
}

/** Objects that name one made after them, as `a -> b`. */
export function forward({ edges }: Pick<Graph, 'edges'>, order: readonly string[]): string[] {
  return [...edges].flatMap(([from, named]) => [...named].filter((to) => order.indexOf(to) >= order.indexOf(from)).map((to) => `${from} -> ${to}`));
}
