/** Which files a table is read from: files, folders and patterns. */
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

import { SklarError, describe } from '../../errors';
import { expectPath, expectRegular, fileError } from './files';

const ENDING = /\.(?:(?:(csv|tsv)|(json|ndjson|jsonl))(?:\.gz)?|(parquet))$/i;

/** What a file holds, by its name. */
export type TableFormat = 'csv' | 'json' | 'parquet';

/** @throws SklarError ERR_SKLAR_FILE for a name that says nothing of the kind */
export function formatOf(file: string): TableFormat {
  const ending = ENDING.exec(file);
  if (ending) return ending[1] ? 'csv' : ending[2] ? 'json' : 'parquet';
  const advice = /\.(?:xlsx?|xlsm|xlsb|ods|numbers)$/i.test(file)
    ? ': save the sheet as CSV in UTF-8 first'
    : file === '-'
      ? ': standard input is not read; write it to a file first'
      : '';
  throw new SklarError(
    'ERR_SKLAR_FILE',
    `expected a file name ending in .csv, .tsv, .json, .ndjson, .jsonl (or these with .gz) or .parquet, ` +
      `got ${describe(file)}${advice}`,
  );
}

/** How files are called in a message about all of them. */
export function filesWords(files: readonly string[]): string {
  return `${describe(files[0])}${files.length > 1 ? ` and ${files.length - 1} more` : ''}`;
}

const isPattern = (text: string) => /[*?[]/.test(text);

/** A part of a pattern, between slashes; a dot at the beginning of a name is matched by a dot alone. */
function matcherOf(part: string): RegExp {
  const source = part.replace(
    /\[(!|\^)?(\]?[^\]]*)\]|[*?]|[\\^$.|+(){}[\]/]/g,
    (token, not, set?: string) => {
      if (token === '*') return '[^/]*';
      if (token === '?') return '[^/]';
      return set === undefined ? `\\${token}` : `[${not ? '^' : ''}${set.replace(/[\\\][^]/g, '\\$&')}]`;
    },
  );
  return new RegExp(`^${part.startsWith('.') ? '' : '(?!\\.)'}${source}$`, 'su');
}

/** The paths below `folder` that match the parts of a pattern. */
async function matches(folder: string, parts: readonly string[]): Promise<string[]> {
  const [part, ...rest] = parts;
  if (part === undefined) return [folder];
  if (!isPattern(part)) return matches(path.join(folder, part), rest);
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
    throw fileError(cause, 'read', folder);
  });
  const found = part === '**' ? await matches(folder, rest) : [];
  const wanted = part === '**' ? /^(?!\.)/ : matcherOf(part);
  for (const entry of entries.filter(({ name }) => wanted.test(name))) {
    const inner = path.join(folder, entry.name);
    if (part !== '**') found.push(...(await matches(inner, rest)));
    else if (entry.isDirectory()) found.push(...(await matches(inner, parts)));
  }
  return found;
}

/** The status of what is there; undefined: nothing is. */
const statusOf = (file: string) => stat(file).catch(() => undefined);

/** Whether something with this name is there that is no folder: a link to nothing, too, which is then said. */
async function isNamed(file: string): Promise<boolean> {
  const there = await lstat(file).catch(() => undefined);
  return there !== undefined && !(await statusOf(file))?.isDirectory();
}

async function filesOf(source: string): Promise<string[]> {
  const status = await statusOf(source);
  if (!status && isPattern(source)) {
    const { root } = path.parse(source);
    const parts = source.slice(root.length).split(path.sep === '/' ? /\/+/ : /[\\/]+/);
    const found: string[] = [];
    for (const file of await matches(root, parts)) if (await isNamed(file)) found.push(file);
    if (found.length > 0) return found.sort();
    throw new SklarError('ERR_SKLAR_FILE', `cannot read ${describe(source)}: no file matches this pattern`);
  }
  if (status) expectRegular(source, status);
  if (!status?.isDirectory()) return [source];
  const names = await readdir(source).catch((cause: unknown) => {
    throw fileError(cause, 'read', source);
  });
  const found = names.filter((name) => !name.startsWith('.') && ENDING.test(name));
  if (found.length > 0) return found.map((name) => path.join(source, name)).sort();
  throw new SklarError(
    'ERR_SKLAR_FILE',
    `cannot read ${describe(source)}: no file in this folder has a name that ends as one of a table, such as .csv or .parquet`,
  );
}

/**
 * The files that a table is read from.
 *
 * @param source paths of files, of folders (all tables in them, not in folders below) or patterns (`*`, `?`, `[abc]`, `**` for any
 *   folders); what exists is a path, whatever characters are in it. Of a folder or a pattern in the order of their paths
 * @throws SklarError ERR_SKLAR_FILE where there are none, ERR_SKLAR_VALUE for a file that is there twice, and for files of
 *   different formats
 */
export async function tableFiles(source: string | readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const part of Array.isArray(source) ? (source as readonly unknown[]) : [source]) {
    files.push(...(await filesOf(expectPath(part))));
  }
  if (files.length === 0)
    throw new SklarError('ERR_SKLAR_VALUE', 'expected at least one file for a table, got none');
  const seen = new Set<string>();
  for (const file of files) {
    const absolute = path.resolve(file);
    if (seen.has(absolute)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected different files for a table, got ${describe(file)} twice`,
      );
    }
    seen.add(absolute);
    const [format, other] = [formatOf(files[0]!), formatOf(file)];
    if (format !== other) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected files of one format for a table, got ${format} and ${other} (${describe(files[0])}, ${describe(file)})`,
      );
    }
  }
  return files;
}

/**
 * The columns to read, by name: those of the first file that were chosen, and where each stands in every file.
 *
 * @param names of the columns of each file
 * @throws SklarError ERR_SKLAR_SHAPE where a file lacks one of them or, unless columns were named, has others
 */
export function agreeingColumns(
  files: readonly string[],
  names: readonly (readonly string[])[],
  chosen: readonly string[],
  {
    columns,
    exclude = [],
  }: { columns?: readonly string[] | undefined; exclude?: readonly string[] | undefined },
): { name: string; positions: number[] }[] {
  const known = new Set([...names[0]!, ...exclude]);
  const positions = names.map((of) => new Map(of.map((name, j) => [name, j])));
  files.forEach((file, s) => {
    const absent = chosen.find((name) => !positions[s]!.has(name));
    const other = columns ? undefined : names[s]!.find((name) => !known.has(name));
    if (absent === undefined && other === undefined) return;
    const difference =
      absent === undefined
        ? `has the column ${describe(other)}, which ${describe(files[0])} does not have`
        : `has no column ${describe(absent)}, which ${describe(files[0])} has`;
    throw new SklarError(
      'ERR_SKLAR_SHAPE',
      `expected files with the same columns, but ${describe(file)} ${difference}`,
    );
  });
  return chosen.map((name) => ({ name, positions: positions.map((of) => of.get(name)!) }));
}

/** What DuckDB, the runtime or the file system reports, as a SklarError. SklarErrors pass through. */
export function readError(cause: unknown, files: readonly string[]): SklarError {
  if (cause instanceof SklarError) return cause;
  // Messages of DuckDB go on with lists of options and possible fixes after the first line.
  const message = String((cause as Error | null)?.message ?? cause).split('\n', 1)[0]!;
  if (/^Out of Memory Error|Array buffer allocation failed|Invalid typed array length/.test(message)) {
    return new SklarError('ERR_SKLAR_MEMORY', `cannot read ${filesWords(files)}: not enough memory`, {
      cause,
    });
  }
  if (/^(?:IO|Permission) Error/.test(message)) {
    return new SklarError('ERR_SKLAR_FILE', `cannot read ${filesWords(files)}: ${message}`, { cause });
  }
  if ((cause as Error | null)?.name !== 'Error') {
    return new SklarError('ERR_SKLAR_INTERNAL', `failed while reading ${filesWords(files)}: ${message}`, {
      cause,
    });
  }
  return new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a readable table, got an error (${filesWords(files)}): ${message}`,
    { cause },
  );
}
