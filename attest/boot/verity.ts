/**
 * What a kernel command line ties to the image that it is measured with. A unified image says what the kernel and the initrd are; the files on a disk are those
 * that the image means only when dm-verity holds them to a hash in the command line (systemd-veritysetup-generator(8), kernel-command-line(7)).
 */
import type { UkiReference } from '../../src/objects/reference.js';

const TREES = { root: { hash: 'roothash', device: 'root', mapped: '/dev/mapper/root' }, usr: { hash: 'usrhash', device: 'mount.usr', mapped: '/dev/mapper/usr' } } as const;
/** What hands the machine over to files that are not in the initrd. */
const OTHER_ROOTS = ['root', 'roothash', 'usrhash', 'mount.usr'];
const HASH = /^(?:[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$/;
const YES = /^(?:1|yes|true|on)$/;

/** Values by name, each time they stand; null for a line whose words are in doubt. */
function optionsOf(commandLine: string): Map<string, string[]> | null {
  if (/['\\]/.test(commandLine) || (commandLine.match(/"/g)?.length ?? 0) % 2 !== 0) return null;
  const options = new Map<string, string[]>();
  for (const [word] of commandLine.matchAll(/(?:[^\s"]|"[^"]*")+/g)) {
    const [name, ...value] = word.replaceAll('"', '').split('=');
    options.set(name!, [...(options.get(name!) ?? []), value.join('=')]);
  }
  return options;
}

/**
 * Why the files of the sidecar are not tied to the image; null when they are.
 * @param commandLine as the image holds it; null when it holds none
 * @param sidecar where the policy says that the sidecar's files are
 */
export function untied(commandLine: string | null, sidecar: UkiReference['sidecar']): string | null {
  const options = optionsOf(commandLine ?? '');
  if (options === null) return 'the words of its command line are in doubt (quotes)';
  if (sidecar === 'initrd') {
    const other = OTHER_ROOTS.find((name) => options.has(name));
    return other === undefined ? null : `its command line hands over to another root (${other}=), the policy says that the sidecar is in the initrd`;
  }
  const { hash, device, mapped } = TREES[sidecar];
  const hashes = options.get(hash) ?? [];
  if (hashes.length !== 1 || !HASH.test(hashes[0]!)) return `its command line does not hold one ${hash}=: nothing says which files are on the ${sidecar} file system`;
  if (options.get(device)?.some((value) => value !== mapped)) return `its command line takes another device than ${mapped} (${device}=)`;
  if (['systemd.verity', 'rd.systemd.verity'].some((name) => options.get(name)?.some((value) => !YES.test(value)))) return 'its command line turns dm-verity off';
  return options.get(`systemd.verity_${sidecar}_options`)?.some((value) => value.includes('ignore-corruption')) ? 'its command line ignores what dm-verity finds' : null;
}
