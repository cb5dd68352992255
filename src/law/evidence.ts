/** What the device and the agent must have shown. */
import { finding } from '../base/fault.js';
import { TIERS, atLeast } from '../names.js';
import { LEVEL_ROWS } from './levels.js';
import { type Appraised, deny, doubt, rule } from './facts.js';

/** The appraisal's own words where it has some: `agent.drift` tells more than "contraindicated". */
const shown = ({ code, findings, status }: Appraised) => findings.find((one) => one.code === code) ?? finding('decision.platform', { status });

export const EVIDENCE_RULES = [
  rule('evidence.authentic', ['appraisal'], ({ appraisal }) => (appraisal.authentic ? null : deny(shown(appraisal)))),
  rule('evidence.status', ['appraisal'], ({ appraisal }) => {
    if (appraisal.status === 'affirming') return null;
    return (appraisal.status === 'contraindicated' ? deny : doubt)(shown(appraisal));
  }),
  rule('evidence.simulated', ['appraisal', 'policy'], ({ appraisal, policy }) => (appraisal.simulated && !policy.allowSimulated ? deny(finding('decision.simulated')) : null)),
  rule('evidence.agent', ['appraisal', 'mandate'], ({ agent, mandate }) => {
    const same = agent?.agentId === mandate.agent.id && agent.manifestSha256 === mandate.agent.manifestSha256;
    return same ? null : deny(finding('mandate.agent_mismatch'));
  }),
];

export const TIER_RULES = [
  rule('tier.policy', ['appraisal', 'policy'], ({ appraisal: { tier }, policy: { minTier } }) =>
    (atLeast(TIERS, tier, minTier) ? null : deny(finding('carrier.tier', { tier, min: minTier })))),
  rule('tier.carrier', ['appraisal', 'carrier'], ({ appraisal: { tier }, carrier: { rules } }) =>
    (atLeast(TIERS, tier, rules.minTier) ? null : deny(finding('carrier.tier', { tier, min: rules.minTier })))),
  rule('tier.level', ['appraisal', 'level'], ({ appraisal: { tier }, level }) => {
    const { minTier } = LEVEL_ROWS[level];
    return minTier === null || atLeast(TIERS, tier, minTier) ? null : doubt(finding('carrier.tier', { tier, min: minTier }));
  }),
];
