import { posix } from 'node:path';
import type { Source } from './sources.js';

/** What a room may import: rooms, packages, and of Node everything or a list. */
interface Room { readonly folder: string; readonly rooms: readonly string[]; readonly packages: readonly string[]; readonly node: readonly string[] | 'all'; readonly pure?: true }

const PURE = ['crypto', 'buffer'];
/** The arrow: cli -> daemon, verifier -> attest -> src; client -> src; tpm2 stands alone. */
export const ROOMS: readonly Room[] = [
  { folder: 'src', rooms: ['src'], packages: ['zod', 'canonicalize'], node: PURE, pure: true },
  { folder: 'attest', rooms: ['attest', 'src'], packages: ['zod', '@ari-sidecar/tpm2'], node: PURE, pure: true },
  { folder: 'client', rooms: ['client', 'src'], packages: [], node: 'all' },
  { folder: 'daemon', rooms: ['daemon', 'attest', 'src'], packages: ['zod', 'ws', 'pino', 'koffi', 'smol-toml', '@ari-sidecar/tpm2'], node: 'all' },
  { folder: 'verifier', rooms: ['verifier', 'attest', 'src'], packages: ['zod', 'ws', 'pino', 'fastify', 'kysely', 'libsql', 'pg', 'smol-toml', '@peculiar/x509', 'reflect-metadata', 'node-forge', '@ari-sidecar/tpm2'], node: 'all' },
  { folder: 'cli', rooms: ['cli', 'daemon', 'verifier', 'client', 'attest', 'src'], packages: ['commander', 'zod', 'ws', 'pino', 'smol-toml', '@ari-sidecar/tpm2'], node: 'all' },
  { folder: 'tpm2/src', rooms: ['tpm2/src'], packages: [], node: 'all' },
];

const IMPORT = /\b(?:import|export)\b[^'"`;()]*?\bfrom\s*(['"])(?<from>[^'"]+)\1|\bimport\s*(['"])(?<bare>[^'"]+)\3|\b(?:import|require)\s*\(\s*(?:(['"])(?<call>[^'"]+)\5\s*\)|(?<computed>[^'")]))/g;
/** Time, randomness, I/O and other people's state: arguments in a pure room, never looked up. */
const IMPURE = /\b(?:Date\.now|new Date\(\)|performance\.now|Math\.random|random(?:Bytes|UUID|Int|Fill\w*)|getRandomValues|generateKeyPair\w*|process\.\w+|globalThis|fetch\(|WebSocket|console\.\w+|set(?:Timeout|Interval|Immediate))/g;

const withoutComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
const packageOf = (name: string): string => name.split('/').slice(0, name.startsWith('@') ? 2 : 1).join('/');

function refusal(room: Room, path: string, wanted: string): string | null {
  if (wanted.startsWith('node:')) return room.node === 'all' || room.node.includes(wanted.slice(5)) ? null : `${wanted} is not for ${room.folder}`;
  if (!wanted.startsWith('.')) return room.packages.includes(packageOf(wanted)) ? null : `the package ${wanted} is not for ${room.folder}`;
  const target = posix.join(posix.dirname(path), wanted);
  return room.rooms.some((folder) => target.startsWith(`${folder}/`)) ? null : `${target} is not for ${room.folder}`;
}

function importsOf(text: string): { name: string; computed: boolean }[] {
  return [...text.matchAll(IMPORT)].map(({ groups }) => ({ name: groups?.['from'] ?? groups?.['bare'] ?? groups?.['call'] ?? '', computed: groups?.['computed'] !== undefined }));
}

/** Everything in these files that goes against the arrow, as `path: reason`. */
export function violations(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const room = ROOMS.find(({ folder }) => path.startsWith(`${folder}/`));
    if (!room) return [`${path}: it is in no room`];
    const code = withoutComments(text);
    const imports = importsOf(code).map(({ name, computed }) => (computed ? 'an import that is computed' : refusal(room, path, name)));
    const impure = room.pure ? [...code.matchAll(IMPURE)].map(([what]) => `${what} in a pure room`) : [];
    return [...imports, ...impure].filter((reason) => reason !== null).map((reason) => `${path}: ${reason}`);
  });
}
