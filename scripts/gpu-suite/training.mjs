// Short fits with the same seed on the device and on the CPU: the loss curves start together, end together, and the models
// score held-out rows alike.
import { bars, LATE_LOSS, SCORE } from './bars.mjs';
import { gaussianRows } from './context.mjs';

const DIM = 5;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

export default async function training(context) {
  const { sklar, row } = context;
  const rows = await gaussianRows(sklar, context.size(20_000, 500), DIM, 1);
  const held = await gaussianRows(sklar, context.size(5000, 200), DIM, 2);
  const fits = context.size(
    [
      { kind: 'cdc', hidden: 64, depth: 2, steps: 500 },
      { kind: 'cdc', hidden: 256, depth: 3, steps: 300 },
      { kind: 'flow', hidden: 128, depth: 3, steps: 300 },
      { kind: 'reflection', hidden: 128, depth: 3, steps: 300 },
      { kind: 'reflection', network: 'published', hidden: 128, depth: 6, steps: 300 },
    ],
    ['cdc', 'flow', 'reflection'].map((kind) => ({ kind, hidden: 16, depth: 2, steps: 30 })),
  );
  for (const fit of fits) {
    const call = { ...fit, batch: context.size(1024, 64), seed: 5, warmup: 20, validation: 0, anneal: 0 };
    const train = async (device) => {
      const model = await sklar.fitCopula(rows, { ...call, ...device });
      const { history, stepMilliseconds } = model.info().training;
      // a published reflection network has no density of its own
      const method = fit.network === 'published' ? { method: 'bound', draws: 8 } : {};
      const score = mean(await model.logPdf(held, { ...device, ...method }));
      return { losses: history.map(({ loss }) => loss), score, stepMilliseconds };
    };
    const cpu = await train({ device: 'cpu' });
    const model = `${fit.kind}${fit.network ? ' published' : ''} ${fit.hidden}x${fit.depth}`;
    await context.eachPrecision({ model }, async (precision, device) => {
      const own = await train(device);
      const differences = own.losses.map(
        (loss, i) => Math.abs(loss - cpu.losses[i]) / Math.abs(cpu.losses[i]),
      );
      const early = mean(differences.slice(0, 10));
      const quarter = (losses) => mean(losses.slice(Math.floor(0.75 * losses.length)));
      const late = Math.abs(quarter(own.losses) / quarter(cpu.losses) - 1);
      const score = own.score - cpu.score;
      await row({
        model,
        precision,
        early,
        late,
        score: own.score,
        'score - CPU': score,
        ms: own.stepMilliseconds,
        'CPU ms': cpu.stepMilliseconds,
        passed: early <= bars[precision].loss && late <= LATE_LOSS && Math.abs(score) <= SCORE,
        losses: own.losses,
        cpuLosses: cpu.losses,
      });
    });
  }
}
