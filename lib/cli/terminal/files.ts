/** Checks of the files a command is given, made before any work. */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import path from 'node:path';

import { expectPath, fileError, isSameFile, targetOf } from '../../data/formats/files';
import { expectFormat } from '../../data/formats/write-table';
import { SklarError, describe } from '../../errors';

/**
 * Throws unless the file could be written: a known ending, a folder that can be written to, and not one of the inputs.
 *
 * @param endings of the files a command writes; `table` stands for all those of tables
 */
export async function expectOutput(
  option: string,
  file: string,
  endings: 'table' | readonly `.${string}`[],
  inputs: readonly string[],
): Promise<void> {
  expectPath(file);
  if (endings === 'table') expectFormat(file);
  else if (!endings.some((ending) => file.toLowerCase().endsWith(ending))) {
    throw new SklarError(
      'ERR_SKLAR_FILE',
      `expected a file name ending in ${endings.join(' or ')} for ${option}, got ${describe(file)}`,
    );
  }
  expectNoInput(option, file, inputs);
  try {
    const target = targetOf(file);
    const existing = await stat(target).catch(() => undefined);
    if (existing?.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    if (existing && !existing.isFile()) return; // a pipe or a device is written directly
    // A new file takes the place of an old one, so it is the folder that must be writable.
    const folder = path.dirname(target);
    await access(folder, constants.W_OK);
    if (!(await stat(folder)).isDirectory()) throw Object.assign(new Error('no folder'), { code: 'ENOTDIR' });
  } catch (cause) {
    throw fileError(cause, 'write', file);
  }
}

/** Throws where a file that is written, or removed in the end, is one that is read. */
export function expectNoInput(option: string, file: string, inputs: readonly string[]): void {
  if (!inputs.some((input) => isSameFile(input, file))) return;
  throw new SklarError(
    'ERR_SKLAR_FILE',
    `expected another file than the input for ${option}, got ${describe(file)}`,
  );
}
