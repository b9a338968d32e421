import { createHash, randomBytes } from 'node:crypto';
import {
  type Stats,
  constants,
  createReadStream,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { type FileHandle, access, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createGunzip } from 'node:zlib';

import { SklarError, describe } from '../../errors';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EISDIR: 'it is a directory',
  ENOTDIR: 'a part of its path is not a directory',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the quota of disk space is used up',
  EFBIG: 'it would be larger than a file may be here',
  EIO: 'the device reports an error',
  EROFS: 'the file system is read-only',
  EMFILE: 'too many open files',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'too many symbolic links',
  ENXIO: 'nobody reads it',
};

/** An ERR_SKLAR_FILE that says what could not be done to which file, and why. SklarErrors pass through. */
export function fileError(cause: unknown, doing: 'read' | 'write' | 'remove', file: string): SklarError {
  if (cause instanceof SklarError) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const reason =
    doing === 'write' && code === 'ENOENT' ? 'its folder does not exist' : (REASONS[code] ?? describe(cause));
  return new SklarError('ERR_SKLAR_FILE', `cannot ${doing} ${describe(file)}: ${reason}`, { cause });
}

/** Returns `file` if it can be a path; throws ERR_SKLAR_VALUE otherwise. */
export function expectPath(file: unknown): string {
  if (typeof file === 'string' && file !== '' && !file.includes('\0')) return file;
  throw new SklarError('ERR_SKLAR_VALUE', `expected a path for the file, got ${describe(file)}`);
}

/** What something is that cannot be read twice, nor from any place in it; undefined: it is a file. */
function kindOf(status: Stats): string | undefined {
  if (status.isFIFO()) return 'a pipe';
  if (status.isSocket()) return 'a socket';
  return status.isFile() ? undefined : 'a device';
}

/** @throws SklarError ERR_SKLAR_FILE for a pipe, a socket or a device */
export function expectRegular(file: string, status: Stats): void {
  const kind = kindOf(status);
  if (kind === undefined || status.isDirectory()) return;
  throw new SklarError(
    'ERR_SKLAR_FILE',
    `cannot read ${describe(file)}: it is ${kind}, and files are read more than once; write it to a file first`,
  );
}

/**
 * The size in bytes of an existing, readable file; throws ERR_SKLAR_FILE for anything else, pipes among it: files are read
 * more than once, and a pipe that nobody writes to would be waited for without an end.
 */
export async function expectReadable(file: string): Promise<number> {
  try {
    const status = await stat(file);
    if (status.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    expectRegular(file, status);
    await access(file, constants.R_OK);
    return status.size;
  } catch (cause) {
    throw fileError(cause, 'read', file);
  }
}

/**
 * The bytes of a file in large pieces, unpacked when its name ends in `.gz`.
 *
 * @throws SklarError ERR_SKLAR_FILE when it cannot be read, ERR_SKLAR_FORMAT when it is not whole and valid gzip data
 */
export async function* readBytes(file: string, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const size = 1 << 20;
  const raw = createReadStream(file, { highWaterMark: size });
  const stream = isGzip(file) ? raw.pipe(createGunzip({ chunkSize: size })) : raw;
  raw.on('error', (error) => stream.destroy(error));
  try {
    for await (const bytes of stream as AsyncIterable<Buffer>) {
      signal?.throwIfAborted();
      yield bytes;
    }
  } catch (cause) {
    signal?.throwIfAborted();
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (!code.startsWith('Z_')) throw fileError(cause, 'read', file);
    const reason = code === 'Z_BUF_ERROR' ? 'data that end too early' : 'damaged data';
    throw new SklarError('ERR_SKLAR_FORMAT', `expected gzip data, got ${reason} (${describe(file)})`, {
      cause,
    });
  } finally {
    raw.destroy();
  }
}

export function isGzip(file: string): boolean {
  return /\.gz$/i.test(file);
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}

/** Who writes a temporary file: the processes that see each other's numbers, then the number of one. */
const host = ((): string => {
  // not on every platform
  const boot = attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  const processes = attempt(() => readlinkSync('/proc/self/ns/pid'));
  return createHash('sha256').update([os.hostname(), boot, processes].join()).digest('hex').slice(0, 8);
})();

/** `.sklar-<host>-<process>-<random>.tmp`; of version 0.2 and before without host and process. */
const TEMPORARY = /^\.sklar-(?:([0-9a-f]{8})-(\d+)-)?[0-9a-f]{16}\.tmp$/;

/** A file of a process that cannot be asked for is left alone until nobody has written to it for so long. */
const ABANDONED_MILLISECONDS = 86_400_000;

const tidied = new Set<string>();

function isAlive(pid: number, since: number): boolean {
  if (pid === process.pid) return since >= Date.now() - 1000 * process.uptime() - 1000; // else of an earlier one
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Removes what processes that were killed have left in a folder; once a process. */
async function removeAbandoned(folder: string): Promise<void> {
  if (tidied.has(folder)) return;
  tidied.add(folder);
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const owner = TEMPORARY.exec(name);
    if (!owner) continue;
    const file = path.join(folder, name);
    const status = await stat(file).catch(() => undefined);
    if (!status?.isFile()) continue;
    const abandoned =
      owner[1] === host
        ? !isAlive(Number(owner[2]), status.mtimeMs)
        : Date.now() - status.mtimeMs > ABANDONED_MILLISECONDS;
    if (abandoned) await unlink(file).catch(() => undefined);
  }
}

/**
 * A file that appears under its name only when it is complete: written under a temporary name in the same folder,
 * flushed to the disk, then renamed. Until `commit` returns, a file that was there before stays untouched; `abort`
 * leaves nothing behind, and what a process that was killed has left is removed by the next one that writes there. Something that exists and is not a regular file (a pipe, /dev/stdout) is written directly.
 */
export class AtomicFile {
  readonly #handle: FileHandle;
  readonly #target: string;
  /** undefined when the target is written directly. */
  readonly #temporary: string | undefined;
  #open = true;

  private constructor(handle: FileHandle, target: string, temporary: string | undefined) {
    this.#handle = handle;
    this.#target = target;
    this.#temporary = temporary;
  }

  static async open(file: string): Promise<AtomicFile> {
    expectPath(file);
    try {
      // The target of a symbolic link is replaced, not the link.
      const target = targetOf(file);
      const existing = await stat(target).catch(() => undefined);
      if (existing?.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
      if (existing && !existing.isFile()) {
        return new AtomicFile(await openDevice(target, existing.isFIFO()), target, undefined);
      }
      // A short name of its own, because a suffix on a long name could exceed the limit of the file system.
      const folder = path.dirname(target);
      const unique = `${host}-${process.pid}-${randomBytes(8).toString('hex')}`;
      const temporary = path.join(folder, `.sklar-${unique}.tmp`);
      await removeAbandoned(folder);
      const handle = await open(temporary, 'wx', existing ? existing.mode & 0o777 : 0o666);
      return new AtomicFile(handle, target, temporary);
    } catch (cause) {
      throw fileError(cause, 'write', file);
    }
  }

  /** Appends bytes. A failure aborts the file. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < bytes.byteLength;) {
        // Linux writes at most 2 GiB - 4 KiB in one call.
        const length = Math.min(bytes.byteLength - done, 1 << 30);
        done += (await this.#handle.write(bytes, done, length)).bytesWritten;
      }
    } catch (cause) {
      await this.abort();
      throw fileError(cause, 'write', this.#target);
    }
  }

  /** Flushes, closes and gives the file its name. A failure aborts the file. */
  async commit(): Promise<void> {
    try {
      if (this.#temporary === undefined) {
        this.#open = false;
        await this.#handle.close();
        return;
      }
      await this.#handle.sync();
      this.#open = false;
      await this.#handle.close();
      await rename(this.#temporary, this.#target);
    } catch (cause) {
      await this.abort();
      throw fileError(cause, 'write', this.#target);
    }
    await flushFolder(path.dirname(this.#target));
  }

  /** Closes and removes the temporary file. Does nothing after `commit`. */
  async abort(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      await this.#handle.close().catch(() => undefined);
    }
    if (this.#temporary !== undefined) await unlink(this.#temporary).catch(() => undefined);
  }
}

/** What a path names where symbolic links are followed, also to what is not there yet. */
export function targetOf(file: string): string {
  let target = path.resolve(file);
  // as many as Linux follows
  for (let links = 0; links < 40; links++) {
    const whole = attempt(() => realpathSync(target));
    if (whole !== undefined) return whole;
    const folder = path.dirname(target);
    const next = attempt(() => readlinkSync(target));
    if (next === undefined) {
      return path.join(attempt(() => realpathSync(folder)) ?? folder, path.basename(target));
    }
    target = path.resolve(folder, next);
  }
  throw Object.assign(new Error('too many links'), { code: 'ELOOP' });
}

/** Whether two paths name one file, which may have several names, or one that is not there yet. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) =>
    attempt(() => {
      const status = statSync(file, { bigint: true, throwIfNoEntry: false });
      return status ? `${status.dev}:${status.ino}` : targetOf(file);
    }),
  );
  return a !== undefined && a === b;
}

/**
 * What is written under one name twice is lost, all the more where a checkpoint is removed at the end.
 *
 * @param files the name of each option with the file it names
 * @throws SklarError ERR_SKLAR_FILE naming two options of one file
 */
export function expectDifferentFiles(files: readonly (readonly [option: string, file: string])[]): void {
  for (const [i, [option, file]] of files.entries()) {
    const same = files.slice(0, i).find(([, earlier]) => isSameFile(earlier, file));
    if (!same) continue;
    throw new SklarError(
      'ERR_SKLAR_FILE',
      `expected different files for ${same[0]} and ${option}, got ${describe(file)} for both`,
    );
  }
}

/** For writing; a pipe that nobody reads is an error, and not waited for without an end. */
async function openDevice(file: string, isPipe: boolean): Promise<FileHandle> {
  if (!isPipe) return open(file, 'w');
  const probe = await open(file, constants.O_WRONLY | constants.O_NONBLOCK);
  try {
    return await open(file, 'w');
  } finally {
    await probe.close();
  }
}

/** Makes a rename durable. Not every platform can flush a folder, and the rename itself has already succeeded. */
async function flushFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch {
    // Windows cannot open folders.
  }
}
