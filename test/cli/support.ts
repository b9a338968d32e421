import { Writable } from 'node:stream';

import { Table, fitCopula, writeTable } from '../../lib';
import { main } from '../../lib/cli/main';
import { PseudoObservations } from '../../lib/data/pseudo-observations';
import { Generator } from '../../lib/data/random';
import type { TemporaryFolder } from '../data/support';

/** A stream that remembers what was written. */
export class Capture extends Writable {
  text = '';
  constructor(readonly isTTY = false) {
    super();
  }
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

/** Runs a command line in this process. */
export async function sklar(
  argv: readonly (string | number)[],
  options: { signal?: AbortSignal; terminal?: boolean } = {},
): Promise<Outcome> {
  const stdout = new Capture();
  const stderr = new Capture(options.terminal);
  const { signal } = options;
  const status = await main(argv.map(String), { stdout, stderr, ...(signal && { signal }) });
  return { status, stdout: stdout.text, stderr: stderr.text };
}

/** Runs a command line with --json that must succeed; its document. */
export async function sklarJson(argv: readonly (string | number)[]): Promise<any> {
  const { status, stdout, stderr } = await sklar([...argv, '--json']);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout);
}

/**
 * Runs a command line that must fail: with that exit status and code, a single line on stderr that holds every one of
 * `culprits`, and with --json the same as one document on stdout.
 */
export async function sklarFails(
  argv: readonly (string | number)[],
  status: number,
  code: string,
  ...culprits: string[]
): Promise<string> {
  const plain = await sklar(argv);
  expect(plain).toEqual({ status, stdout: '', stderr: expect.stringContaining(`[${code}]`) });
  expect(plain.stderr).toMatch(/^error: [^\n]+ \[\w+\]\n$/);
  for (const culprit of culprits) expect(plain.stderr).toContain(culprit);

  const json = await sklar([...argv, '--json']);
  expect(json).toMatchObject({ status, stderr: plain.stderr });
  const { error } = JSON.parse(json.stdout);
  expect(Object.keys(error)).toEqual(['code', 'message']);
  expect(plain.stderr).toBe(`error: ${error.message} [${error.code}]\n`);
  return String(error.message);
}

function normal(generator: Generator): number {
  const u = (generator.next() + 0.5) / 2 ** 32;
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * (generator.next() / 2 ** 32));
}

/** Three dependent columns, the last one of integers with many ties; more names than letters need. */
export const COLUMNS = ['wind speed', 'depth, m', 'count'] as const;

export function exampleTable(rows = 400): Table {
  const generator = new Generator(7, rows);
  const columns = COLUMNS.map(() => new Float64Array(rows));
  for (let i = 0; i < rows; i++) {
    const x = normal(generator);
    columns[0]![i] = 5 + x;
    columns[1]![i] = 0.1 * (x * x + 0.4 * normal(generator));
    columns[2]![i] = Math.round(Math.abs(3 * x + normal(generator)));
  }
  return new Table(COLUMNS, columns, ['float', 'float', 'integer']);
}

/** Options of a fit that takes a moment only. */
export const QUICK = ['--hidden', 8, '--depth', 1, '--steps', 6, '--batch', 32];

/** Files that many tests start from: a table, and models of its dependence. */
export async function writeExamples(folder: TemporaryFolder) {
  const files = {
    data: folder.file('data.csv'),
    cdc: folder.file('cdc.safetensors'),
    gaussian: folder.file('gaussian.safetensors'),
    bare: folder.file('bare.safetensors'),
  };
  const table = exampleTable();
  await writeTable(table, files.data);
  const margins = await PseudoObservations.fit(table);
  const u = margins.transformTrain();
  const cdc = await fitCopula(u, { margins, hidden: 8, depth: 1, steps: 6, batch: 32 });
  await cdc.save(files.cdc);
  await (await fitCopula(u, { kind: 'gaussian', margins })).save(files.gaussian);
  await (
    await fitCopula({ data: u.data, rows: u.rows, columns: u.columns }, { kind: 'gaussian' })
  ).save(files.bare);
  return { ...files, table, margins };
}
