/**
 * The files of an agent below its root, for a measurement: those of its manifest, and code that it does not name. What was seen is kept while the kernel
 * tells of no change: of a file (see {@link FileHashes}), of a name in a folder, of a mount. An unchanged tree costs the same however large it is.
 */
import { statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { manifestFiles } from '../../attest/manifest.js';
import { type FoundFile, measureTree } from '../../attest/measure.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import type { Agent } from '../ports.js';
import type { FileHashes } from './hash.js';
import { isMissing, list, type Listing, mapSome, resolveInside } from './files.js';
import { inTurnFor } from '../tpm/turns.js';
import { IN, type Notice } from './notices.js';
import { isOwnLack, readProc } from './proc.js';

/** What a runtime loads by itself when it stands in the right place. Other files that no manifest names are the agent's data. */
const CODE = /(?:^|\/)(?:package\.json|pyvenv\.cfg)$|(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/.@][^/]*$|\.(?:[cm]?[jt]s|node|wasm|so(?:\.[0-9.]+)?|py[cdo]?|pth|jar|class|sh)$/;
/** Folders out of which a runtime loads code under names that nobody imports. */
const CODE_FOLDER = /(?:^|\/)(?:__pycache__|node_modules|site-packages)$/;
/** What `require()` adds to a name: it takes a file of the very name before. */
const ENDING = /\.(?:js|json|node)$/;
/** Stands for names that came and went untold. */
const UNTOLD = '(more names than are told)';
/** Clocks of kernel and process start agree to a few hundredths of a second. */
const CLOCK_MS = 50;
const KEPT = 256, CAME_MOST = 1024;

type Tree = AgentClaims['tree'];
interface Seen { readonly file: FoundFile; readonly ctimeMs: number; readonly quiet: boolean }

const NOTHING: Listing = { files: [], folders: new Set(), unread: [] };

/** Whether every file of the manifest is reached through folders that are watched, and through no link that leaves the tree. */
async function isClosed(root: string, { files, folders }: Listing, names: ReadonlySet<string>): Promise<boolean> {
  for (const name of names) {
    const folder = dirname(name);
    if (!folders.has(folder === '.' ? '' : folder)) return false;
  }
  for (const { path, kind } of files) if (kind === 'link' && names.has(path) && await resolveInside(root, path) === null) return false;
  return true;
}

/** One careful look at a tree. It is stale as soon as something is told of it. */
class Look {
  /** Among the listeners to a folder: the next look at the same tree takes its place. */
  readonly key: string;
  readonly root: string;
  readonly mounts: string;
  readonly changes: number;
  tree!: Tree;
  stale = false;
  private seen: readonly Seen[] = [];
  private latestMs = 0;
  /** Links make every name matter: it may be one that a link leads through. */
  private hasLinks = false;
  /** Code that no manifest names, by when it was told of: it may be gone before anybody looks, and have been loaded meanwhile. */
  private readonly came: Map<string, number>;
  private gone: readonly string[] = [];

  constructor(key: string, root: string, mounts: string, changes: number, before?: Look) {
    this.came = before?.came ?? new Map();
    this.key = key;
    this.root = root;
    this.mounts = mounts;
    this.changes = changes;
  }

  holds(root: string, mounts: string, changes: number): boolean {
    return !this.stale && this.root === root && this.mounts === mounts && this.changes === changes;
  }

  async take(root: string, manifest: AgentManifest, hashes: FileHashes): Promise<void> {
    const named = manifestFiles(manifest);
    const names = new Set(named.map((file) => file.path));
    // Folders are watched before they are read: what comes after is told.
    const isExtra = extraOf(names, manifest);
    const listed = await list(root, (folder) => this.watch(root, folder, { names, isExtra }, hashes)).catch((error: unknown) => {
      if (isMissing(error)) return NOTHING;
      throw error;
    });
    this.hasLinks = listed.files.some(({ kind }) => kind === 'link');
    const there = new Set(listed.files.map(({ path }) => path));
    this.gone = [...this.came.keys()].filter((path) => !there.has(path));
    if (!await isClosed(root, listed, names)) this.stale = true;
    const extra = listed.files.filter(({ path }) => isExtra(path));
    const foreign = await mapSome(extra, async ({ path, kind }) => (kind === 'link' && await resolveInside(root, path) !== null ? [] : [await extraFile(root, path, hashes)]));
    this.seen = [...await mapSome(named, (file) => namedFile(root, file.path, hashes)), ...foreign.flat(), ...listed.unread.map(unreadFolder)];
    this.tree = measureTree(this.seen.map(({ file }) => file), manifest);
    this.latestMs = this.seen.reduce((latest, { ctimeMs }) => Math.max(latest, ctimeMs), 0);
    if (this.seen.some(({ quiet }) => !quiet)) this.stale = true;
  }

  /** The tree as a process has it that began at this time. A file whose inode moved since then may have been another when it was loaded; code that came and went since then may have been loaded. */
  since(startMs: number): Tree {
    const from = startMs + CLOCK_MS;
    // A new folder that still holds foreign code is told by that code.
    const gone = this.gone.filter((path) => this.came.get(path)! > from && !this.tree.drift.some((drift) => drift.path.startsWith(`${path}/`)));
    if (this.latestMs <= from && gone.length === 0) return this.tree;
    const changed = this.seen.filter(({ file, ctimeMs }) => ctimeMs > from && file.state === 'read').map(({ file }) => file.path);
    const drifted = new Set(this.tree.drift.map(({ path }) => path));
    return { ...this.tree, changedSinceStart: [...changed.filter((path) => !drifted.has(path)), ...gone].slice(0, 64) };
  }

  private watch(root: string, folder: string, { names, isExtra }: { names: ReadonlySet<string>; isExtra: (path: string) => boolean }, hashes: FileHashes): void {
    const heard = ({ mask, name }: Notice): void => {
      const path = folder === '' ? name : `${folder}/${name}`;
      const isData = !this.hasLinks && (mask & IN.ISDIR) === 0 && name !== '' && !isExtra(path) && !names.has(path);
      if (!isData) this.stale = true;
      if ((mask & IN.Q_OVERFLOW) !== 0) this.came.set(UNTOLD, Date.now());
      const appears = (mask & (IN.CREATE | IN.MOVED_TO)) !== 0 && ((mask & IN.ISDIR) === 0 ? isExtra(path) : CODE_FOLDER.test(path) && !names.has(path));
      if (appears) this.came.set(this.came.size < CAME_MOST ? path : UNTOLD, Date.now());
    };
    if (!hashes.watchFolder(join(root, folder), this.key, heard)) this.stale = true;
  }
}

/** The trees of the agents of one sidecar. An agent may run in several file systems at once (containers): each look names its root. */
export class TreeSense {
  private readonly hashes: FileHashes;
  private readonly looks = new Map<string, Look>();
  /** Of two looks at one tree, only the one that listens may be kept. */
  private readonly turn = inTurnFor();

  constructor(hashes: FileHashes) {
    this.hashes = hashes;
  }

  /** The tree of an agent as a process of it has it that began at `startMs`. Call {@link FileHashes.settle} before it. @throws ErrnoException when there is no such folder */
  async look(proc: string, agent: Agent, startMs: number): Promise<Tree> {
    const path = `${proc}/root${agent.root}`;
    const found = statSync(path, { bigint: true, throwIfNoEntry: false });
    const root = `${found?.dev}:${found?.ino}`;
    const key = `${agent.manifest.sha256} ${root}`;
    const look = await this.turn(key, async () => {
      const mounts = readProc(`${proc}/mountinfo`);
      const kept = this.looks.get(key);
      if (kept?.holds(root, mounts, this.hashes.changes)) return kept;
      const anew = new Look(key, root, mounts, this.hashes.changes, kept);
      await anew.take(path, agent.manifest.value, this.hashes);
      if (this.looks.size >= KEPT) this.looks.clear();
      this.looks.set(key, anew);
      return anew;
    });
    return look.since(startMs);
  }
}

/** Which names below the root are code that the manifest does not have. */
function extraOf(names: ReadonlySet<string>, { launch: { runtime } }: AgentManifest): (path: string) => boolean {
  const before = new Set(runtime === 'node' ? [...names].filter((name) => ENDING.test(name)).map((name) => name.replace(ENDING, '')) : []);
  return (path) => !names.has(path) && (CODE.test(path) || before.has(path));
}

/** What is in it nobody knows: a runtime may come by another way. */
const unreadFolder = (path: string): Seen => ({ file: { path: path.slice(0, 4096), state: 'unreadable', sha256: null }, ctimeMs: 0, quiet: false });

/** The files of a manifest as they are now, then the code that stands beside them and is not in it. */
async function namedFile(root: string, path: string, hashes: FileHashes): Promise<Seen> {
  try {
    const { sha256, ctimeMs, quiet } = await hashes.hash(join(root, path));
    return { file: { path, state: 'read', sha256 }, ctimeMs, quiet };
  } catch (error) {
    // A name that is not there is told of when it comes; what cannot be read is tried each time.
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    if (isOwnLack(error)) throw error;
    return { file: { path, state: missing ? 'missing' : 'unreadable', sha256: null }, ctimeMs: 0, quiet: missing };
  }
}

async function extraFile(root: string, path: string, hashes: FileHashes): Promise<Seen> {
  const { file, ctimeMs, quiet } = await namedFile(root, path, hashes);
  return { file: { ...file, state: 'extra' }, ctimeMs, quiet };
}
