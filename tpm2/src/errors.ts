import { decodeRc, type Where } from './rc.js';

/** The TPM answered, and the answer was no. */
export class TpmError extends Error {
  /** `TPM_RC_BAD_AUTH` and so on. */
  override readonly name: `TPM_RC_${string}`;
  /** The whole response code, for example 0x9a2. */
  readonly code: number;
  /** The code without the number of handle, parameter or session: compare with `RC`. */
  readonly base: number;
  readonly where: Where;
  /** `TPM2_Quote` and so on. */
  readonly command: string;

  constructor(code: number, command: string) {
    const { base, name, meaning, where } = decodeRc(code);
    super(`${command}: ${name} (0x${code.toString(16)}${where === null ? '' : `, ${where.kind} ${where.number}`}): ${meaning}`);
    this.name = name;
    this.code = code;
    this.base = base;
    this.where = where;
    this.command = command;
  }
}

/**
 * No answer that could be believed.
 * absent: there is no TPM at that place. permission: it may not be opened by this user. busy: somebody else holds it, or the queue before us took all our time.
 * hung: no answer within the deadline. closed: the connection ended, or a session was lost with it. garbage: the answer is no TPM response, or its HMAC is wrong.
 * After hung, closed and garbage it is unknown whether the command was carried out.
 */
export type ChannelFault = 'absent' | 'permission' | 'busy' | 'hung' | 'closed' | 'garbage';

export class ChannelError extends Error {
  override readonly name = 'ChannelError';
  readonly code: ChannelFault;

  constructor(code: ChannelFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
