// Models that a device trains together: the group over a made-up device, and whole ensembles where there is one.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { devices, fitCopula, fitEnsemble } from '../../lib';
import { TrainGroup, type TrainTask } from '../../lib/copulas/training/train-group';
import {
  type NativeDevice,
  type NativeTrainCall,
  type NativeTrainReport,
  type NativeTrainResult,
  runJob,
} from '../../lib/native';
import { crossed } from '../helpers/data';

describe('a group', () => {
  const resultOf = (seed: bigint) => ({ steps: Number(seed) }) as NativeTrainResult;

  /** A device on which every job ends with the seeds of its models; each start is recorded. */
  function device(together: boolean) {
    const jobs: { seeds: bigint[]; end: () => void; fail: (reason: unknown) => void }[] = [];
    const task = (seed: bigint, rest: Partial<TrainTask> = {}): TrainTask => ({
      call: { models: [{ seed }] } as TrainTask['call'],
      signal: undefined,
      onReport: () => {},
      start: (_addon, { models }, onReports) => {
        const seeds = models.map((model) => model.seed);
        const job = { seeds, end: () => {}, fail: (_reason: unknown) => {} };
        jobs.push(job);
        const alone = models.length === 1;
        const promise = new Promise<NativeTrainResult[] | null>((resolve, reject) => {
          job.end = () => {
            onReports(seeds.map((_, model) => ({ model, step: 1 }) as NativeTrainReport));
            resolve(together || alone ? seeds.map(resultOf) : null);
          };
          job.fail = reject;
        });
        return { promise, cancel: () => job.fail(new Error('cancelled')) };
      },
      ...rest,
    });
    return { jobs, task };
  }
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  test('one job when all have come; each gets what is its own', async () => {
    const { jobs, task } = device(true);
    const group = new TrainGroup(3, new AbortController().signal);
    const told: bigint[] = [];
    const results = [5n, 6n, 7n].map(async (seed, i) => {
      if (i === 2) {
        await settled();
        expect(jobs).toEqual([]);
      }
      return group.train(task(seed, { onReport: () => told.push(seed) }));
    });
    await settled();
    await settled();
    expect(jobs.map(({ seeds }) => seeds)).toEqual([[5n, 6n, 7n]]);
    jobs[0]!.end();
    expect(await Promise.all(results)).toEqual([5n, 6n, 7n].map(resultOf));
    expect(told).toEqual([5n, 6n, 7n]);
  });

  test('where the device cannot: a job for each, eight at a time', async () => {
    const { jobs, task } = device(false);
    const seeds = Array.from({ length: 10 }, (_, i) => BigInt(i));
    const group = new TrainGroup(10, new AbortController().signal);
    const results = Promise.all(seeds.map((seed) => group.train(task(seed))));
    await settled();
    jobs[0]!.end();
    await settled();
    expect(jobs.slice(1).map((job) => job.seeds)).toEqual(seeds.slice(0, 8).map((seed) => [seed]));
    jobs[3]!.end();
    await settled();
    expect(jobs.at(-1)!.seeds).toEqual([8n]);
    jobs[1]!.end();
    await settled();
    expect(jobs).toHaveLength(11);
    jobs.forEach((job) => job.end());
    expect(await results).toEqual(seeds.map(resultOf));
  });

  test('one that never comes ends the wait of the others', async () => {
    const { jobs, task } = device(true);
    const abort = new AbortController();
    const group = new TrainGroup(2, abort.signal);
    const waiting = group.train(task(1n));
    abort.abort(new Error('no guide'));
    await expect(waiting).rejects.toThrow('no guide');
    expect(jobs).toEqual([]);
    new TrainGroup(2, AbortSignal.abort(new Error('too late')));
    await settled(); // nobody waits: no rejection is left over
  });

  test('an exception of a watcher ends all', async () => {
    const { jobs, task } = device(true);
    const group = new TrainGroup(2, new AbortController().signal);
    const throws = () => {
      throw new Error('enough');
    };
    const both = Promise.allSettled([group.train(task(1n)), group.train(task(2n, { onReport: throws }))]);
    await settled();
    jobs[0]!.end();
    for (const { status } of await both) expect(status).toBe('rejected');
  });
});

/** A native job on rows of their own for each seed. */
function job(device: NativeDevice, seeds: readonly bigint[], kind: 'cdc' | 'flow' = 'cdc') {
  const steps = { steps: 40, batch: 24, validateEvery: 3, patience: 1, anneal: 6 };
  const adam = {
    learningRate: 0.02,
    finalLearningRate: 0.1,
    warmup: 2,
    steps: 40,
    beta1: 0.9,
    beta2: 0.999,
  };
  const call: NativeTrainCall = {
    ...steps,
    adam: { ...adam, epsilon: 1e-8, clipNorm: 1, weightDecay: 0, emaDecay: 0.5 },
    models: seeds.map((seed) => ({
      training: crossed(50, 0.9, Number(seed)).data,
      validation: crossed(20, 0.9, 9).data,
      cholesky: null,
      completion: null,
      initial: null,
      snapshot: null,
      seed,
    })),
    rows: 50,
    validationRows: 20,
    ties: null,
    validationDraws: 2,
    reportEvery: 2,
    device,
    checkpointSeconds: 0,
    watchSteps: false,
    lookFirst: false,
  };
  const activation = 'silu' as const;
  const network = { inputDim: 2, hiddenDim: 16, depth: 1, outputDim: 3, activation };
  const times = Float64Array.of(0, 1, Infinity);
  const flow = {
    process: 'ou' as const,
    published: false,
    potential: false,
    dim: 2,
    frequencies: 0,
    hiddenDim: 16,
    depth: 1,
    activation,
  };
  const definition = { ...flow, members: 2, cholesky: null };
  const timeLaw = { kind: 'uniform' as const, low: 0, high: 1.5 };
  return runJob((addon) =>
    kind === 'cdc'
      ? addon.cdcTrain({ ...call, network, times, stratifiedLevels: true, crossEntropyWeight: 0.2 })
      : addon.velocityTrain({ ...call, definition, timeLaw, slopeWeight: 0 }),
  );
}

test('the CPU has no operation for several models', async () => {
  const cpu: NativeDevice = { device: 'cpu', threads: 1, precision: 'fp32' };
  expect(await job(cpu, [1n, 2n])).toBeNull();
  expect(await job(cpu, [1n])).toHaveLength(1);
});

/** Emulated ones included: SKLAR_CUDA=EMULATED npm run build. */
const { usable } = devices().cuda;
(usable ? describe : describe.skip)('on a CUDA device', () => {
  const cuda: NativeDevice = { device: 'cuda:0', threads: 1, precision: 'mixed' };

  test.each(['cdc', 'flow'] as const)('models of a job are those of jobs of their own: %s', async (kind) => {
    const seeds = [1n, 2n, 3n];
    const together = (await job(cuda, seeds, kind))!;
    expect(together.some(({ stoppedEarly }) => stoppedEarly)).toBe(true);
    const bits = ({ parameters, history, steps, bestStep, bestValidation }: NativeTrainResult) => {
      const curve = history.map(({ step, loss, gradientNorm }) => [step, loss, gradientNorm]);
      return { parameters, curve, steps, bestStep, bestValidation };
    };
    for (const [k, seed] of seeds.entries()) {
      expect(bits(together[k]!)).toEqual(bits((await job(cuda, [seed], kind))![0]!));
    }
  });

  test('other precisions have no operation for several models', async () => {
    expect(await job({ ...cuda, precision: 'fp32' }, [1n, 2n])).toBeNull();
  });

  // an emulated device takes long for the margins of a sampler
  test('an ensemble is aborted, goes on and has the models of its seeds', async () => {
    const scratch = mkdtempSync(path.join(os.tmpdir(), 'sklar-group-'));
    const u = crossed(300, 0.9, 1);
    const rows = crossed(20, 0.9, 2);
    const network = { hidden: 16, depth: 1, levels: 4, batch: 32 } as const;
    const fit = { ...network, steps: 40, validateEvery: 5, device: 'cuda', precision: 'mixed' } as const;
    const ensemble = { ...fit, models: 2, seed: 5, checkpoint: path.join(scratch, 'run') };
    const abort = new AbortController();
    const told = new Set<number>();
    await expect(
      fitEnsemble(u, {
        ...ensemble,
        signal: abort.signal,
        onProgress: ({ model, step }) => {
          told.add(model);
          if (step > 20) abort.abort(new Error('enough'));
        },
      }),
    ).rejects.toThrow('enough');
    expect([...told].sort()).toEqual([0, 1]);
    expect(readdirSync(scratch).sort()).toEqual(['run.0', 'run.1']);
    const { members } = await fitEnsemble(u, ensemble);
    expect(readdirSync(scratch)).toEqual([]);
    const alone = await fitCopula(u, { ...fit, seed: 6 });
    const onCpu = { device: 'cpu' } as const;
    expect(await members[1]!.logPdf(rows, onCpu)).toEqual(await alone.logPdf(rows, onCpu));
    rmSync(scratch, { recursive: true });
  }, 120_000);
});
