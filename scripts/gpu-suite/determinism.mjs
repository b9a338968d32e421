// Twice the same call, the same bits: fits, samples, log densities; whatever ran in between, or beside it.
import path from 'node:path';
import { gaussianRows, readTensors, sameBits } from './context.mjs';

const DIM = 5;

export default async function determinism(context) {
  const { sklar, row } = context;
  const u = await gaussianRows(sklar, context.size(20_000, 500), DIM, 1);
  const steps = context.size(200, 5);
  const shapes = context.size(
    [
      { hidden: 64, depth: 2 },
      { hidden: 512, depth: 6 },
    ],
    [{ hidden: 16, depth: 2 }],
  );
  for (const kind of ['cdc', 'flow', 'reflection']) {
    for (const { hidden, depth } of shapes) {
      const model = `${kind} ${hidden}x${depth}`;
      await context.eachPrecision({ model }, async (precision, device) => {
        const call = { kind, hidden, depth, steps, batch: context.size(1000, 64), seed: 3, ...device };
        const first = await sklar.fitCopula(u, call);
        // other work and other memory between the two
        const between = await first.sample(context.size(20_000, 100), { ...device, seed: 9 });
        const second = await sklar.fitCopula(u, call);
        const line = (what, passed) => row({ what, model, precision, passed });
        await line('fit', await sameParameters(context, first, second));
        const { members } = await sklar.fitEnsemble(u, { ...call, seed: call.seed - 1, models: 2 });
        await line('one of an ensemble', await sameParameters(context, first, members[1]));
        const draw = (options) => first.sample(between.rows, { ...device, seed: 9, ...options });
        await line('sample', sameBits((await draw({})).data, between.data));
        const noisy = { noise: true, margins: 'raw' };
        await line('sample with noise', sameBits((await draw(noisy)).data, (await draw(noisy)).data));
        const stream = await collect(first, between.rows, { ...device, seed: 9, batch: 777 });
        await line('sample in batches', sameBits(stream, between.data));
        const [a, b] = [await first.logPdf(head(u, 300), device), await second.logPdf(head(u, 300), device)];
        await line('log density of both fits', sameBits(a, b));
      });
    }
  }
}

const head = ({ data, columns }, rows) => ({ data: data.slice(0, rows * columns), rows, columns });

async function collect(model, rows, options) {
  const out = new Float32Array(rows * model.dim);
  let done = 0;
  for await (const batch of model.sampleStream(rows, options)) {
    out.set(batch.data, done * model.dim);
    done += batch.rows;
  }
  return out;
}

async function sameParameters({ scratch }, ...models) {
  const [a, b] = await Promise.all(
    models.map(async (model, i) => {
      const file = path.join(scratch, `${i}.safetensors`);
      await model.save(file);
      return (await readTensors(file)).tensors;
    }),
  );
  return a.size === b.size && [...a].every(([name, { data }]) => sameBits(data, b.get(name).data));
}
