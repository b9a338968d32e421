// sklar score --certificate: the library's certificate, printed.
import { CdcCopula, type NormaliserEstimate, fitCopula, loadModel, meanOf } from '../../lib';
import { main } from '../../lib/cli/main';
import { callNative } from '../../lib/native';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, Capture, sklar, sklarJson, writeExamples } from './support';

const folder = new TemporaryFolder();
let files: Awaited<ReturnType<typeof writeExamples>>;
let cdc: string;
beforeAll(async () => {
  files = await writeExamples(folder);
  cdc = folder.file('estimated.safetensors');
  const copula = (await loadModel(files.cdc)) as CdcCopula;
  await copula.estimateNormaliser({ particles: 64 });
  await copula.save(cdc);
});

describe('sklar score --certificate', () => {
  const number = '-?\\d+\\.\\d{4}';
  const mean = `${number} \\+- \\d+\\.\\d{4}`;
  const margin = (what: string) =>
    `  worst column${what} ".+": distance from uniform 0\\.\\d{4}, within 0\\.\\d{4} \\(level 0\\.01\\): (?:yes|no); variance ${number} of 1`;

  test('one JSON document, that of the library', async () => {
    const plain = await sklarJson(['score', cdc, files.data]);
    const { certificate, ...rest } = await sklarJson(['score', cdc, files.data, '--certificate']);
    expect(rest).toEqual(plain);
    const copula = await loadModel(cdc);
    const levels = await copula.margins!.transform(files.table);
    const expected = await copula.certify(levels);
    const timed = expected.routes.map((route) => ({ ...route, seconds: expect.any(Number) }));
    expect(certificate).toEqual({ ...expected, routes: timed });
    expect(certificate).toMatchObject({ rows: 400, routeRows: 400, margins: { rows: 20_000 } });
    // routes are compared at levels, where the score takes whole blocks
    const logPdf = await copula.logPdf(levels, { normalised: true });
    expect(certificate.routes[0].mean).toBeCloseTo(meanOf(logPdf).mean, 10);
    expect(COLUMNS).toContain(certificate.margins.uniform.worst.column);
  });

  test('one table for people', async () => {
    const { stdout } = await sklar(['score', cdc, files.data, '--certificate']);
    const lines = stdout.trimEnd().split('\n').slice(2);
    const expected = [
      'certificate of a cdc copula of 3 columns, nats, 400 of 400 rows',
      `  log Z ${mean}, subtracted`,
      '  route +mean log density +minus classifier +nfe +seconds',
      `  classifier +${mean} +1 +\\d+\\.\\d\\d`,
      `  ode +${mean} +${mean} +\\d+ +\\d+\\.\\d\\d`,
      `  bound +${mean} +${mean} +128 +\\d+\\.\\d\\d`,
      `  largest difference ${number} \\((?:ode|bound)\\); all within max\\(3 standard errors, 0\\.01\\): (?:yes|no)`,
      '  margins of 20000 sampled rows',
      margin(''),
      margin(' of the raw sample'),
    ];
    expect(lines).toEqual(expected.map((line): unknown => expect.stringMatching(new RegExp(`^${line}$`))));
    // the columns of the table end together
    expect(new Set(lines.slice(2, 6).map((line) => line.length)).size).toBe(1);
    const gaussian = (await sklar(['score', files.gaussian, files.data, '--certificate'])).stdout;
    expect(gaussian).toContain('\n  log Z 0: the density is a formula\n');
    expect(gaussian).toMatch(/ode .* yes\n {2}margins/s);
  });

  test('a network without a density is not said to have one', async () => {
    const file = folder.file('published.safetensors');
    const options = {
      kind: 'reflection',
      network: 'published',
      hidden: 8,
      depth: 2,
      steps: 6,
      batch: 32,
    } as const;
    const { margins } = files;
    await (await fitCopula(margins.transformTrain(), { ...options, margins })).save(file);
    const { stdout } = await sklar(['score', file, files.data, '--certificate']);
    expect(stdout).toContain('(unnormalised)\ncertificate of a reflection copula');
    expect(stdout).toContain('\n  no density: the network only samples\n  route   mean log density');
    expect(stdout).not.toMatch(/log Z|minus|largest/);
    expect(await sklarJson(['score', file, files.data])).toMatchObject({
      normalised: false,
      logNormaliser: null,
      normalisedMeanLogPdf: null,
    });
  });

  test('with the options of the library', async () => {
    const flags = ['--route-rows', '40', '--sample-rows', '500', '--tolerance', '0.5', '--seed', '7'];
    const { certificate } = await sklarJson(['score', files.gaussian, files.data, '--certificate', ...flags]);
    expect(certificate).toMatchObject({
      routeRows: 40,
      margins: { rows: 500, seed: '7' },
      verdict: { routesAgree: { tolerance: 0.5 } },
    });
    for (const [argv, message] of [
      [['--tolerance', '0.5'], '--tolerance needs --certificate'],
      [['--certificate', '--route-rows', '1'], '--route-rows'],
      [['--certificate', '--sample-rows', 'many'], '--sample-rows'],
    ] as const) {
      const { status, stderr } = await sklar(['score', files.gaussian, files.data, ...argv]);
      expect(status).toBe(3);
      expect(stderr).toContain(message);
    }
  });

  test('a route that diverges is a line of the table', async () => {
    // logits are 0, their gradients infinity times 0
    const network = { inputDim: 3, hiddenDim: 4, depth: 1, outputDim: 4, activation: 'silu' } as const;
    const slices = callNative((addon) => addon.cdcSlices(network));
    const [weight, bias] = slices.slice(-2) as [(typeof slices)[0], (typeof slices)[0]];
    const parameters = new Float32Array(bias.offset + bias.rows);
    parameters.fill(3e38, weight.offset, bias.offset - network.hiddenDim);
    parameters.fill(-3e38, bias.offset - network.hiddenDim, bias.offset);
    const { normaliser } = (await loadModel(cdc)).info().config as { normaliser: NormaliserEstimate };
    const copula = CdcCopula.fromParts({
      network,
      times: Float64Array.of(0, 0.5, 1, 3),
      cholesky: null,
      correlation: null,
      parameters,
      options: null,
      training: null,
      normaliser,
    });
    copula.names = files.margins.names;
    copula.margins = files.margins;
    const file = folder.file('diverging.safetensors');
    await copula.save(file);
    const { stdout, status } = await sklar([
      ...['score', file, files.data],
      ...['--certificate', '--route-rows', '50', '--sample-rows', '200'],
    ]);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^ {2}classifier {2,}\S+ \+- \S+ +1 +\d+\.\d\d$/m);
    expect(stdout).toMatch(/^ {2}ode {9}failed: the integration left the finite numbers in 50 rows/m);
    expect(stdout).toMatch(/^ {2}nothing to compare; all within .*: no$/m);
    expect(stdout).toMatch(/^ {2}worst column: failed: the pilot sample/m);
    expect(stdout).toMatch(/^ {2}failed: ode, bound, sample, raw sample$/m);
  });

  test('shows how far it is, and stops when interrupted', async () => {
    const argv = ['score', cdc, files.data, '--certificate'];
    const { stderr } = await sklar(['score', files.gaussian, files.data, '--certificate', '--verbose']);
    expect(stderr).toMatch(/^certificate 100% {2}raw sample$/m);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20); // the work takes ten times as long on a fast machine
    expect(await sklar(argv, { signal: controller.signal })).toMatchObject({ status: 130, stdout: '' });
  });

  test('interrupted, no table of densities is there', async () => {
    const out = folder.file('interrupted.csv');
    const controller = new AbortController();
    const stderr = new (class extends Capture {
      override _write(chunk: Buffer, encoding: string, done: () => void): void {
        if (chunk.toString().startsWith('certificate')) controller.abort();
        super._write(chunk, encoding, done);
      }
    })();
    const argv = ['score', cdc, files.data, '--certificate', '--verbose', '--out', out];
    const { signal } = controller;
    expect(await main(argv, { stdout: new Capture(), stderr, signal })).toBe(130);
    expect(stderr.text).toContain('interrupted; no file was written');
    expect(folder.list().filter((name) => name.includes('interrupted') || name.endsWith('.tmp'))).toEqual([]);
  });
});
