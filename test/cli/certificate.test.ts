// sklar score --certificate: the library's certificate, printed.
import { type CdcCopula, fitCopula, loadModel } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { COLUMNS, sklar, sklarJson, writeExamples } from './support';

const folder = new TemporaryFolder();
let files: Awaited<ReturnType<typeof writeExamples>>;
let cdc: string;
beforeAll(async () => {
  files = await writeExamples(folder);
  cdc = folder.file('estimated.safetensors');
  const copula = (await loadModel(files.cdc)) as CdcCopula;
  await copula.normaliser({ particles: 64 });
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
    const expected = await copula.certificate(copula.margins!.transform(files.table));
    const timed = expected.routes.map((route) => ({ ...route, seconds: expect.any(Number) }));
    expect(certificate).toEqual({ ...expected, routes: timed });
    expect(certificate).toMatchObject({ rows: 400, routeRows: 400, margins: { rows: 20_000 } });
    expect(certificate.routes[0].mean).toBeCloseTo(plain.normalisedMeanLogPdf, 10);
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

  test('shows how far it is, and stops when interrupted', async () => {
    const argv = ['score', cdc, files.data, '--certificate'];
    const { stderr } = await sklar(['score', files.gaussian, files.data, '--certificate', '--verbose']);
    expect(stderr).toMatch(/^certificate 100% {2}raw sample$/m);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 20); // the work takes ten times as long on a fast machine
    expect(await sklar(argv, { signal: controller.signal })).toMatchObject({ status: 130, stdout: '' });
  });
});
