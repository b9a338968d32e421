import type { Command } from 'commander';

import { loadModel } from '../copulas/load';
import { describe } from '../errors';
import { type Io, writeResult } from './context';
import { type LogNormaliser, formatLogNormaliser } from './normaliser';

export function define(command: Command, io: Io): void {
  command
    .argument('<model>', 'a .safetensors file that fit wrote, or published weights')
    .option('--json', 'print everything as JSON')
    .action((model: string, flags: { json?: boolean }) => info(model, flags, io));
}

async function info(model: string, flags: { json?: boolean }, io: Io): Promise<void> {
  const copula = await loadModel(model);
  const { margins } = copula;
  const result = {
    ...copula.info(),
    margins: margins && { rows: margins.rows, ties: margins.ties, kinds: margins.kinds },
  };
  writeResult(io, flags.json, result, () => {
    const { kind, dim, normalised, columns, parameters, training } = result;
    const { normaliser, ...config } = result.config as { normaliser?: LogNormaliser | null };
    return [
      `kind        ${kind}`,
      `dimension   ${dim}`,
      `columns     ${columns?.map((name) => describe(name)).join(', ') ?? 'without names'}`,
      `density     ${normalised ? 'normalised' : 'unnormalised'}${normaliser ? `, ${formatLogNormaliser(normaliser)}` : ''}`,
      `parameters  ${parameters}`,
      `margins     ${margins ? `empirical, of ${margins.rows} rows, ties ${margins.ties}` : 'none'}`,
      ...section('network and options', config),
      ...section('training', training),
    ];
  });
}

interface JsonObject {
  readonly [key: string]: string | number | boolean | null | readonly unknown[] | JsonObject;
}

/** A title and a line for each plain value; lists such as the history of losses are for --json. */
function section(title: string, value: unknown): string[] {
  const lines = new Map<string, string>();
  const add = (at: JsonObject): void => {
    for (const [key, part] of Object.entries(at)) {
      if (Array.isArray(part) || part === null || lines.has(key)) continue;
      if (typeof part === 'object') add(part as JsonObject);
      else lines.set(key, `  ${key.padEnd(20)} ${part}`);
    }
  };
  if (typeof value === 'object' && value !== null) add(value as JsonObject);
  return lines.size === 0 ? [] : [title, ...lines.values()];
}
