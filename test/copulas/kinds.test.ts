import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { type Copula, EnsembleCopula, SklarError, loadModel } from '../../lib';
import { type CopulaKind, kinds } from '../../lib/copulas/fitting/kinds';
import { hasField } from '../../lib/copulas/copula';

const folder = path.join(__dirname, '..', 'fixtures', 'models-0.1.0');
const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));
const kindOf = (copula: Copula) =>
  (copula instanceof EnsembleCopula ? copula.members[0]!.kind : copula.kind) as CopulaKind;
const middle = (copula: Copula) => [Array.from({ length: copula.dim }, () => 0.5)];

describe.each(files)('capabilities of %s', (file) => {
  let copula: Copula;
  beforeAll(async () => {
    copula = await loadModel(path.join(folder, file));
  });
  afterAll(() => {
    copula.dispose();
  });

  test('are those of its kind, or less', () => {
    const own = copula.capabilities;
    const all = kinds[kindOf(copula)].capabilities;
    for (const method of own.logPdf) expect(all.logPdf).toContain(method);
    for (const method of own.sampleConditional) expect(all.sampleConditional).toContain(method);
    if (file !== 'published.safetensors' && !(copula instanceof EnsembleCopula)) expect(own).toEqual(all);
  });

  test('are what the model does', async () => {
    const { logPdf, sampleConditional, field, cdf, marginal } = copula.capabilities;
    for (const method of ['exact', 'classifier', 'potential', 'ode', 'bound'] as const) {
      const call = copula.logPdf(middle(copula), { method, ...(method === 'bound' && { draws: 2 }) });
      if (logPdf.includes(method)) expect((await call).every(Number.isFinite)).toBe(true);
      else await expect(call).rejects.toThrow(SklarError);
    }
    const given = copula.sampleConditional({ 0: 0.5 }, 4, {});
    if (sampleConditional.length > 0) expect((await given).method).toBe(sampleConditional[0]);
    else await expect(given).rejects.toThrow(/cannot be sampled given/);
    expect([field, cdf, marginal]).toEqual([
      hasField(copula) && 'fieldHandle' in copula,
      'cdf' in copula,
      'marginal' in copula,
    ]);
  });
});

test('the table of kinds in the guide is that of the registry', async () => {
  const script = pathToFileURL(path.join(__dirname, '..', '..', 'scripts', 'kinds-table.mjs')).href;
  const { guide, kindsTable, withTable } = (await import(script)) as {
    guide: string;
    kindsTable: (of: typeof kinds) => string;
    withTable: (text: string, table: string) => string;
  };
  const text = readFileSync(guide, 'utf8');
  expect(text).toBe(withTable(text, kindsTable(kinds)));
});
