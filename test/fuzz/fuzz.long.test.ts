/**
 * Everything that reads what somebody else wrote, with inputs that are nearly right. SKLAR_FUZZ_SECONDS=3600 npm run test:long --
 * test/fuzz, with another SKLAR_FUZZ_SEED each time, for a release: what it prints goes into log.jsonl.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import {
  GaussianCopula,
  type Margin,
  Table,
  fitCopula,
  fitJoint,
  fitMargin,
  loadModel,
  marginFromJSON,
  readTable,
} from '../../lib';
import { findFormat } from '../../lib/data/columns/calendar';
import { TableSchema } from '../../lib/data/schema/table-schema';
import { parseWhere } from '../../lib/joint/where';
import { readModelFile, writeModelFile } from '../../lib/model/model-file';
import type { Tensor } from '../../lib/model/safetensors';
import { normals } from '../helpers/data';
import { type Target, fuzz } from './fuzz';
import type { Mutator } from './mutate';

const seconds = Number(process.env.SKLAR_FUZZ_SECONDS ?? 4);
const seed = Number(process.env.SKLAR_FUZZ_SEED ?? 1);
/** What earlier runs found: `npm run clean` takes it away. */
const corpora = path.join(__dirname, '..', '..', 'build', 'fuzz');
const memory = '/dev/shm';
const folder = mkdtempSync(path.join(process.platform === 'linux' ? memory : os.tmpdir(), 'sklar-fuzz-'));
const file = (name: string) => path.join(folder, name);

const next = normals(3);
const column = (f: (z: number, i: number) => number) =>
  Float64Array.from({ length: 120 }, (_, i) => f(next(), i));
const table = Table.fromColumns({
  a: column((z) => z),
  b: column((z) => Math.max(0, z)),
  day: Array.from(column((_, i) => i), (i) => new Date(Date.UTC(2024, 0, 1 + (7 * i) % 120))),
  label: Array.from(column((_, i) => i), (i) => ['x', 'y y', 'z'][i % 3]!),
}); // prettier-ignore
const u = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
const quick = { hidden: 4, depth: 1, steps: 6, batch: 16 } as const;

const json: Pick<Target<unknown>, 'mutate'> = { mutate: (mutator, input) => mutator.json(input) };
const bytes: Pick<Target<Uint8Array>, 'mutate'> = {
  mutate: (mutator, input, other) => mutator.bytes(input, other),
};
const text = (values: readonly string[]) => values.map((value) => Buffer.from(value));

async function report<T>(name: string, target: Target<T>): Promise<void> {
  const plain = name.replaceAll(/\W/g, '-');
  const outcome = await fuzz(
    target,
    seconds,
    seed,
    path.join(corpora, plain),
    path.join(folder, `fault-${plain}`),
  );
  process.stderr.write(`fuzz ${name}: ${JSON.stringify({ seed, seconds, ...outcome })}\n`);
  expect(outcome.executions).toBeGreaterThan(0);
}

const minutes = 1000 * (2 * seconds + 120);

/** What it is good for: a model that was accepted gives numbers. */
async function use(out: string): Promise<void> {
  using model = await loadModel(out);
  const rows = new Float64Array(2 * model.dim).fill(0.3);
  if (model.dim > 8) return;
  const points = Array.from({ length: 2 }, (_, i) =>
    Array.from(rows.subarray(0, model.dim), (p) => p + 0.1 * i),
  );
  if (model.capabilities.logPdf !== null && typeof model.logPdf === 'function') {
    const log = await model.logPdf(points, model.kind === 'flow' ? { steps: 2 } : {});
    if (log.some(Number.isNaN)) throw new Error('NaN');
  }
}

describe('model files', () => {
  let files: string[] = [];

  beforeAll(async () => {
    const sample = await u.sample(80);
    files = ['gaussian', 'clayton', 'student'].map((kind) => file(`${kind}.safetensors`));
    for (const [i, kind] of (['gaussian', 'clayton', 'student'] as const).entries()) {
      await (await fitCopula(sample, { kind })).save(files[i]!);
    }
    for (const kind of ['cdc', 'flow'] as const) {
      const name = file(`${kind}.safetensors`);
      await (await fitCopula(sample, { kind, ...quick })).save(name);
      files.push(name);
    }
    const joint = file('joint.safetensors');
    await (await fitJoint(table, { copula: { kind: 'gaussian' } })).save(joint);
    files.push(joint);
  });

  test(
    'bytes',
    async () => {
      const out = file('bytes.safetensors');
      await report('model bytes', {
        ...bytes,
        corpus: files.map((name) => readFileSync(name)),
        run(input) {
          writeFileSync(out, input);
          return use(out);
        },
      });
    },
    minutes,
  );

  test(
    'documents that were signed anew',
    async () => {
      const out = file('signed.safetensors');
      const read = await Promise.all(files.map((name) => readModelFile(name)));
      const tensors = read.map((model) => model.tensors);
      await report('model documents', {
        corpus: read.map(({ document }, number) => ({ number, document, tensor: '', value: 0 })),
        mutate(mutator: Mutator, input) {
          const names = [...tensors[input.number]!.keys()];
          // a tensor, or the document
          if (names.length > 0 && mutator.below(3) === 0) {
            return {
              ...input,
              tensor: mutator.pick(names),
              value: mutator.pick([NaN, Infinity, -1e308, 0, 5e-324]),
            };
          }
          return { ...input, document: mutator.json(input.document) as typeof input.document };
        },
        async run({ number, document, tensor, value }) {
          const changed = new Map<string, Tensor>([...tensors[number]!]);
          const whole = changed.get(tensor);
          if (whole && (whole.data instanceof Float64Array || whole.data instanceof Float32Array)) {
            changed.set(tensor, { ...whole, data: whole.data.slice().fill(value, 0, 1) });
          }
          await writeModelFile(out, { document: document!, tensors: changed });
          await use(out);
        },
      });
    },
    minutes,
  );
});

test(
  'checkpoints that were signed anew',
  async () => {
    const rows = await u.sample(60);
    const checkpoint = file('fit.checkpoint');
    const options = {
      kind: 'cdc',
      ...quick,
      levels: 3,
      checkpoint,
      checkpointSeconds: 1e-6,
      keepCheckpoint: true,
    } as const;
    (await fitCopula(rows, options))[Symbol.dispose]();
    const { document, tensors } = await readModelFile(checkpoint);
    await report('checkpoints', {
      ...json,
      corpus: [document],
      async run(input) {
        await writeModelFile(checkpoint, { document: input as never, tensors });
        using model = await fitCopula(rows, options);
        if ((await model.logPdf([[0.2, 0.7]])).some((value) => !Number.isFinite(value)))
          throw new Error('not finite');
      },
    });
  },
  minutes,
);

test(
  'margins as JSON',
  async () => {
    const x = column((z) => Math.exp(z));
    const margins: Margin[] = [
    fitMargin(x, 'kde'),
    fitMargin(x, 'empirical'),
    fitMargin(x, { type: 'gpd', upperThreshold: 1 }),
    fitMargin(column((z) => Math.max(0, z)), 'zero-inflated'),
    fitMargin(Float64Array.from({ length: 600 }, () => Math.round(20 * next())), 'rounded'),
    fitMargin(column((z) => Math.round(z)), 'discrete'),
    fitMargin(x, 'gamma'),
  ]; // prettier-ignore
    const at = Float64Array.of(-1e308, -1, 0, 0.5, 1, 20, 1e308);
    await report('margin JSON', {
      ...json,
      corpus: margins.map((margin) => JSON.parse(JSON.stringify(margin)) as unknown),
      run(input) {
        const margin = marginFromJSON(input as never);
        for (const values of [margin.cdf(at), margin.cdfBefore(at), margin.survival(at), margin.logPdf(at)]) {
          if (values.some(Number.isNaN)) throw new Error('NaN');
        }
        if (margin.quantile(Float64Array.of(0.1, 0.5, 0.9)).some(Number.isNaN)) throw new Error('NaN');
      },
    });
  },
  minutes,
);

test(
  'CSV, with every reading option',
  async () => {
    const out = file('table.csv');
    await report('csv', {
      ...bytes,
      corpus: text([
        'a,b,c\n1,2,x\n3,4,y\n5,6,z\n',
        '"a ""b""";b;day\n1,5;2;2024-01-31\n2,5;;2024-02-01\n',
        'id\ttime\tprice\nA-1\t08:30\t$1,234.50\nA-2\t09:30\t(3.10)\nA-3\t\t12 %\n',
        'x\r\n1e400\r\n0x10\r\n1_000\r\nNA\r\n',
        '\u{feff}größe,ok\n1,true\n2,false\n',
      ]),
      async run(input) {
        writeFileSync(out, input);
        const odd = input.length % 5;
        const read = await readTable(out, {
          ...(odd === 1 && { header: false }),
          ...(odd === 2 && { delimiter: ';', decimal: ',' as const }),
          ...(odd === 3 && { types: { a: 'category' } }),
        });
        // what was read can be modelled or is refused with a reason
        const schema = TableSchema.infer(read);
        schema.restore(schema.modelled(read));
      },
    });
  },
  minutes,
);

test(
  'conditions and formats in words',
  async () => {
    const schema = TableSchema.infer(table);
    await report('words', {
    ...bytes,
    corpus: text(["a > 1 and (b <= 0 or label = 'y y')", 'not day >= 2024-02-01', 'label in (x, z) and "a" < b', "day = 2024-01-31 or day != '2024-02-01'"]),
    run(input) {
      const words = input.toString();
      findFormat([words, '2024-01-01']);
      parseWhere(words, schema.columns).rows(table);
    },
  }); // prettier-ignore
  },
  minutes,
);
