/** The options of models as flags: an option has one where the schema of a kind describes it (`lib/copulas/fitting/kinds.ts`). */
import type { Command } from 'commander';
import { z } from 'zod';

import { type CopulaKind, kinds } from '../../copulas/fitting/kinds';
import { expectOneOf } from '../../errors';
import { fromSchema } from './values';

interface Owner {
  readonly kind: string;
  readonly schema: z.ZodType;
}

/** Every option of `fitCopula` that belongs to a kind, with the kinds that have it. */
const owners = new Map<string, Owner[]>();
for (const [kind, { options }] of Object.entries(kinds)) {
  for (const [name, schema] of Object.entries(options.shape)) {
    owners.set(name, [...(owners.get(name) ?? []), { kind, schema: schema as z.ZodType }]);
  }
}

/** For a configuration file: which options there are. Their values are for `expectModelOptions`. */
export const modelShape = Object.fromEntries(
  Array.from(owners.keys(), (name) => [name, z.unknown().optional()]),
);

/** @throws SklarError ERR_SKLAR_VALUE for an option that the kind does not have, or a value that it does not allow */
export function expectModelOptions(kind: CopulaKind, options: object): void {
  kinds[kind].fitter(Object.fromEntries(Object.entries(options).filter(([name]) => owners.has(name))));
}

/** What a schema is about without its default. */
function bare(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional
    ? bare(schema.unwrap() as z.ZodType)
    : schema;
}

/** " (default: 3000 of cdc; 4000 of flow, reflection)" */
function describeDefaults(of: readonly Owner[]): string {
  const byValue = new Map<unknown, string[]>();
  for (const { kind, schema } of of) {
    if (!(schema instanceof z.ZodDefault)) continue;
    const value = schema.def.defaultValue;
    byValue.set(value, [...(byValue.get(value) ?? []), kind]);
  }
  const texts = Array.from(byValue, ([value, of]) =>
    byValue.size === 1 ? String(value) : `${String(value)} of ${of.join(', ')}`,
  );
  return texts.length === 0 ? '' : ` (default: ${texts.join('; ')})`;
}

/** Adds the flags of the options that have a description. */
export function addModelOptions(command: Command): Command {
  for (const [name, of] of owners) {
    const what = of.find(({ schema }) => schema.description !== undefined)?.schema.description;
    if (what === undefined) continue;
    const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    const types = of.map(({ schema }) => bare(schema));
    const defaults = describeDefaults(of);
    if (types[0] instanceof z.ZodBoolean) {
      command.option(flag, `${what}${defaults}`).option(`--no-${flag.slice(2)}`, `not so (see ${flag})`);
    } else if (types[0] instanceof z.ZodEnum) {
      const choices = [...new Set(types.flatMap((type) => (type as z.ZodEnum).options))];
      command.option(`${flag} <name>`, `${what}: ${choices.join(', ')}${defaults}`, (text) =>
        expectOneOf(text, flag, choices),
      );
    } else {
      command.option(`${flag} <n>`, `${what}${defaults}`, fromSchema(flag, z.union(types), types[0]));
    }
  }
  return command;
}
