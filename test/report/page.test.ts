/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** A report in a browser: what a reader sees at the widths of a telephone and a desk, on light and on dark screens. */
import { mkdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

import type { Browser, Page } from 'playwright-core';

import { PseudoObservations, type ReportNumbers, fitCopula, fitJoint, report } from '../../lib';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from '../data/support';
import { hasBrowser, launchBrowser } from '../helpers/browser';
import { cars } from '../helpers/cars';
import { ordersTable } from '../helpers/orders';

const folder = new TemporaryFolder();
/** To look at them afterwards: SKLAR_SCREENSHOTS=/tmp/shots npx jest test/report/page */
const shots = process.env.SKLAR_SCREENSHOTS;
const SECTIONS = [
  'density',
  'comparison',
  'columns',
  'margins',
  'pairs',
  'kendall',
  'tails',
  'certificate',
  'losses',
  'model',
  'timings',
];

const inBrowser = hasBrowser ? describe : describe.skip;
let browser: Browser;
/** Of numbers, by a network; and of labels, dates, counts and missing cells. */
const titles = { cars: 'Cars <of> "vega" & others', orders: 'Orders' };
const pages = { cars: folder.file('cars.html'), orders: folder.file('orders.html') };
const numbersOf: Record<keyof typeof pages, ReportNumbers> = {} as never;

async function prepare(): Promise<void> {
  if (shots !== undefined) mkdirSync(shots, { recursive: true });
  // few columns: the baselines are fitted in turns, since no training rows are given
  const table = cars(['Miles_per_Gallon', 'Horsepower', 'Cylinders']);
  const margins = await PseudoObservations.fit(table);
  const copula = await fitCopula(margins.transformTrain(), {
    kind: 'cdc',
    margins,
    hidden: 16,
    depth: 1,
    steps: 120,
    batch: 64,
    learningRate: 3e-3,
    validateEvery: 10,
  });
  const made = await report(copula, table, {
    rows: 800,
    seed: 3,
    certificate: { routeRows: 20, sampleRows: 800 },
    title: titles.cars,
  });
  numbersOf.cars = made.numbers;
  folder.file('cars.html', made.html);
  const generator = new Generator(5);
  const orders = await ordersTable(700, () => generator.next() / 2 ** 32);
  const training = orders.part(0, 500);
  const joint = await fitJoint(training, { copula: { kind: 'gaussian' } });
  const other = await report(joint, orders.part(500, 700), {
    rows: 800,
    train: training,
    certificate: { routeRows: 20, sampleRows: 800 },
    title: titles.orders,
  });
  numbersOf.orders = other.numbers;
  folder.file('orders.html', other.html);
  browser = await launchBrowser();
}

/** What the page complains about, and what it asks for beside itself. */
function watch(view: Page): { complaints: string[]; requests: string[] } {
  const seen = { complaints: [] as string[], requests: [] as string[] };
  view.on('console', (message) => seen.complaints.push(`${message.type()}: ${message.text()}`));
  view.on('pageerror', (error) => seen.complaints.push(String(error)));
  view.on('requestfailed', (request) => seen.complaints.push(`failed: ${request.url()}`));
  view.on('request', (request) => {
    if (!request.url().startsWith('data:')) seen.requests.push(request.url());
  });
  return seen;
}

/** Runs in the page: the least contrast (WCAG 2) of the texts that match, against the ground they stand on. */
function leastContrast(selector: string): { ratio: number; text: string } {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
  const rgba = (colour: string): number[] => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
  };
  const luminance = (colour: number[]) => {
    const [r, g, b] = colour.slice(0, 3).map((part) => {
      const x = part / 255;
      return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  let least = { ratio: Infinity, text: 'nothing matches' };
  for (const element of document.querySelectorAll(selector)) {
    let ground: Element | null = element;
    while (ground && rgba(getComputedStyle(ground).backgroundColor)[3]! < 255) ground = ground.parentElement;
    const behind = ground ? rgba(getComputedStyle(ground).backgroundColor) : [255, 255, 255];
    const { color, fill } = getComputedStyle(element);
    const front = rgba(element instanceof SVGElement ? fill : color);
    const [high, low] = [luminance(front), luminance(behind)].sort((a, b) => b - a);
    const ratio = (high! + 0.05) / (low! + 0.05);
    if (ratio < least.ratio)
      least = { ratio, text: `${element.tagName} ${element.textContent}`.slice(0, 80) };
  }
  return least;
}

/** Runs in the page: the numbers, with their errors and units, that a line end divides. */
function brokenNumbers(): string[] {
  const found: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.parentElement!.closest('script, style, svg')) continue;
    const text = node.textContent!;
    for (const match of text.matchAll(
      /[\u2212-]?\d[\d.,]*(?:(?: \+- | ?\u00a0?\u00b1\u00a0?)\d+\.\d+)?(?:[ \u00a0]%)?/g,
    )) {
      const range = document.createRange();
      range.setStart(node, match.index);
      range.setEnd(node, match.index + match[0].length);
      const tops = new Set(Array.from(range.getClientRects(), ({ top }) => Math.round(top)));
      if (tops.size > 1) found.push(match[0]);
    }
  }
  return found;
}

async function expectText(view: Page, selector: string, text: string): Promise<void> {
  expect((await view.locator(selector).first().textContent())!.includes(text) || text).toBe(true);
}

inBrowser('a report in a browser', () => {
  beforeAll(prepare);
  afterAll(() => browser?.close());

  describe.each([
    [390, 844],
    [1280, 900],
  ])('%d pixels wide', (width, height) => {
    test.each([
      ['cars', 'light'],
      ['cars', 'dark'],
      ['orders', 'light'],
      ['orders', 'dark'],
    ] as const)('%s, %s', async (name, colorScheme) => {
      const numbers = numbersOf[name];
      const context = await browser.newContext({ viewport: { width, height }, colorScheme });
      try {
        const view = await context.newPage();
        const seen = watch(view);
        const address = pathToFileURL(pages[name]).href;
        await view.goto(address, { waitUntil: 'load' });
        if (shots !== undefined) {
          await view.screenshot({ path: `${shots}/${name}-${width}-${colorScheme}.png`, fullPage: true });
        }

        expect(seen).toEqual({ complaints: [], requests: [address] });
        expect(await view.title()).toBe(titles[name]);
        const wide = await view.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
        expect(wide).toEqual([width, width]);

        // everything is there, and nothing sticks out but in boxes that scroll
        for (const id of SECTIONS) {
          const heading = view.locator(`#${id} > h2`);
          expect([id, await heading.isVisible()]).toEqual([id, true]);
        }
        expect(await view.locator('.absent').count()).toBe(numbers.losses ? 0 : 1);
        expect(await view.evaluate(brokenNumbers)).toEqual([]);
        const boxes = await view.locator('section svg').evaluateAll((pictures) =>
          pictures.map((picture) => {
            const { left, right, height } = (picture.closest('.scroll') ?? picture).getBoundingClientRect();
            return { left, right, height };
          }),
        );
        const ofMargins = numbers.margins!.map(({ quantiles }) => (quantiles.length > 0 ? 2 : 1));
        const shown = ofMargins.reduce((sum, count) => sum + count, 0) + 2 * numbers.pairs!.pairs.length;
        expect(boxes).toHaveLength(shown + 3 + numbers.tails!.length + (numbers.losses ? 1 : 0));
        for (const box of boxes) {
          expect(box.left).toBeGreaterThanOrEqual(0);
          expect(box.right).toBeLessThanOrEqual(width);
          expect(box.height).toBeGreaterThan(80);
        }
        expect(await view.locator('svg:not([role="img"]), svg:not([aria-label])').count()).toBe(0);

        for (const selector of [
          'h1, h2, h3, p, li, dt, dd, td, th, figcaption, strong, nav a, .badge, .note, .soft',
          'svg text',
        ]) {
          const { ratio, text } = await view.evaluate(leastContrast, selector);
          expect({ selector, text, readable: ratio >= 4.5 || ratio }).toEqual({
            selector,
            text,
            readable: true,
          });
        }
      } finally {
        await context.close();
      }
    });
  });

  test('the page says what the API says', async () => {
    const context = await browser.newContext({ javaScriptEnabled: true });
    try {
      const view = await context.newPage();
      await view.goto(pathToFileURL(pages.cars).href);
      const numbers = numbersOf.cars;
      const embedded = JSON.parse((await view.locator('#numbers').textContent())!);
      expect(embedded).toEqual(JSON.parse(JSON.stringify(numbers)));

      const { columns, data, model } = numbers.kendall!;
      const cellTexts = async (place: number) =>
        (await view.locator('#kendall svg').nth(place).locator('text').allTextContents())
          .filter((text) => /^\u2212?\d\.\d\d$/.test(text))
          .map((text) => Number(text.replace('\u2212', '-')));
      const offDiagonal = (tau: readonly (readonly (number | null)[])[]) =>
        tau.flatMap((row, i) => row.filter((_, j) => i !== j).map(Number));
      for (const [place, tau] of [data, model].entries()) {
        const wanted = offDiagonal(tau);
        const shown = await cellTexts(place);
        expect(shown).toHaveLength(columns.length * (columns.length - 1));
        shown.forEach((value, k) => expect(Math.abs(value - wanted[k]!)).toBeLessThanOrEqual(0.0051));
      }

      const auc = numbers.comparison!.metrics.auc!;
      await expectText(view, '.tiles', auc.sample.value.toFixed(3));
      await expectText(view, '#comparison table', auc.sample.value.toFixed(5));
      await expectText(view, '#comparison table', auc.floor.value.toFixed(5));
      const [first] = numbers.certificate!.routes;
      await expectText(view, '#certificate table', Math.abs(first!.mean!).toFixed(4));
      const record = numbers.model.training as { bestStep: number; validationLoss: number };
      await expectText(view, '#model', String(record.bestStep));
      expect(await view.locator('#margins h3').allTextContents()).toEqual(
        numbers.margins!.map(({ column, type }) => `${column} ${type}`),
      );
      expect(await view.locator('#tails h3').allTextContents()).toEqual(
        numbers.tails!.map(({ columns: [a, b] }) => `${a} and ${b}`),
      );
    } finally {
      await context.close();
    }
  });
});
