// What `npm run typecheck` says about the copula of fitJoint, beside what a call says.
import { type CopulaKind, type CopulaSpec, fitJoint } from '../../lib';

const spec = (one: CopulaSpec) => one;
const anyKind = 'gaussian' as CopulaKind;

const allowed = [
  spec({}),
  spec({ kind: anyKind }),
  spec({ hidden: 16 }),
  spec({ kind: 'cdc', levels: 5 }),
  spec({ kind: 'flow', hidden: 16 }),
  spec({ kind: 'bb1', rotation: 180 }),
  spec({ kind: 'student', method: 'tau' }),
  spec({ kind: 'kernel', bandwidth: 2 }),
  spec({ kind: 'empirical-beta' }),
];

const refused = [
  // @ts-expect-error levels belong to a classifier
  spec({ kind: 'flow', levels: 5 }),
  // @ts-expect-error a network is not rotated
  spec({ kind: 'cdc', rotation: 180 }),
  // @ts-expect-error there is no such turn
  spec({ kind: 'bb1', rotation: 45 }),
  // @ts-expect-error a classical copula has no network
  spec({ kind: 'gaussian', hidden: 16 }),
  // @ts-expect-error the bandwidth is that of a kernel
  spec({ kind: 'empirical-beta', bandwidth: 2 }),
];

const rows = Array.from({ length: 60 }, (_, i) => [(i * 7) % 61, ((i * 7) % 61) + ((i * 11) % 61) / 3]);

test.each(refused)('%j is refused', async (copula) => {
  await expect(fitJoint(rows, { copula })).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
});

test.each(allowed.filter(({ kind }) => kind && !['cdc', 'flow'].includes(kind)))(
  '%j is taken',
  async (copula) => {
    using joint = await fitJoint(rows, { copula });
    expect(joint.copula.kind).toBe(copula.kind);
  },
);
