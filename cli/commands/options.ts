/** Options that several commands share. */
import { Option } from 'commander';
import { AGENT_SOCKET } from '../../src/agentapi.js';

export const socketOption = (): Option => new Option('-s, --socket PATH', "the sidecar's agent socket").default(AGENT_SOCKET);
export const apiOption = (): Option => new Option('-u, --verifier URL', "the verifier's HTTP address").makeOptionMandatory();
export const keyOption = (whose: string): Option => new Option('-k, --key FILE', `${whose} private key (JWK)`).makeOptionMandatory();
export const tokenOption = (): Option => new Option('--admin-token-file FILE', "the verifier's administration token").makeOptionMandatory();
