/** A token that is not what it has to be. Whoever opens it turns this into the code of its own object. */
export class Refusal extends Error {}
export class BadSignature extends Refusal {}
