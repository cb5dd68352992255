/**
 * CVE-2017-15361: Infineon's library made RSA primes as k*M + (65537^a mod M), so that a modulus is a power of 65537 modulo each small prime (Nemec et al.,
 * "The Return of Coppersmith's Attack", 2017). Such a key can be factored from its certificate, whatever firmware runs now. An honest modulus looks like
 * that with a chance of about 2^-28.
 */
const GENERATOR = 65537;
const PRIMES = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

function powers(prime: number): Set<number> {
  const seen = new Set<number>();
  for (let power = 1; !seen.has(power); power = (power * GENERATOR) % prime) seen.add(power);
  return seen;
}
const SUBGROUPS = PRIMES.map((prime) => [prime, powers(prime)] as const);

const remainder = (modulus: Uint8Array, prime: number): number => modulus.reduce((rest, byte) => (rest * 256 + byte) % prime, 0);

export const isRoca = (modulus: Uint8Array): boolean => SUBGROUPS.every(([prime, subgroup]) => subgroup.has(remainder(modulus, prime)));
