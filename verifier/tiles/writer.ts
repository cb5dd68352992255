/**
 * Writes the log's files behind its back: no payment waits for a file. Of a tile that grows only the widest that waits is written; the checkpoint is
 * written after all tiles of its size. What could not be written keeps waiting, and whoever adds more hears of it first.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { TileFile } from '../../src/deposit/edge.js';
import { TILE_WIDTH, tilePath } from '../../src/deposit/tiles.js';
import type { LogFiles } from './files.js';

export const CHECKPOINT = 'checkpoint';
/** Files that may wait: a bundle of leaves is some 150 kB. */
const WAITING = 64;

export class TileWriter {
  private readonly files: LogFiles;
  private readonly waiting = new Map<string, TileFile>();
  private note: string | null = null;
  private writing: Promise<void> | null = null;
  private failed = false;

  constructor(files: LogFiles) {
    this.files = files;
  }

  /** `note`: the checkpoint that all tiles put so far belong to. @throws what the disk said to what was put before, when it still does */
  async put(tiles: readonly TileFile[], note: string | null): Promise<void> {
    if (this.failed || this.waiting.size > WAITING) await this.written();
    for (const file of tiles) this.waiting.set(`${file.tile.level}/${file.tile.index}`, file);
    this.note = note ?? this.note;
    this.written().catch(() => undefined); // it stays failed until it is written
  }

  /** Resolves when everything that was put is in its file. @throws what the disk said */
  written(): Promise<void> {
    if (this.waiting.size === 0 && this.note === null) return Promise.resolve();
    return (this.writing ??= this.run());
  }

  private async run(): Promise<void> {
    try {
      await turn();
      while (this.waiting.size > 0 || this.note !== null) await this.round();
      this.failed = false;
    } catch (error) {
      this.failed = true;
      throw error;
    } finally {
      this.writing = null;
    }
  }

  private async round(): Promise<void> {
    const { note } = this;
    for (const [place, file] of this.waiting) {
      await this.write(file);
      if (this.waiting.get(place) === file) this.waiting.delete(place);
    }
    if (note !== null) await this.files.write(CHECKPOINT, note);
    if (this.note === note) this.note = null;
  }

  /** A full tile stands for the partial ones before it. */
  private async write({ tile, bytes }: TileFile): Promise<void> {
    const path = tilePath(tile);
    const whole = tile.width === TILE_WIDTH;
    await this.files.write(path, bytes, { lasting: whole });
    if (whole) await this.files.remove(`${path}.p`);
  }
}
