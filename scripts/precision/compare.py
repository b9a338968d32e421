#!/usr/bin/env python3
"""Compares every family with arbitrary precision at random parameters and points; prints the worst cases.

    npm run precision                       # half an hour; with gmpy2 some minutes
    python3 scripts/precision/compare.py --count 20 --kinds bb2,bb3 --fixture worst.json

Of each kind `--count` parameters, log-uniform over the box of its fit, each with a random rotation and `--points` points: from
the copula, in the corners and near the ridge. An error is relative to the value itself (of logPdf: to the density; of tau:
absolute), divided by 1 + the condition of the value in its arguments: what rounding u, v and the parameters to doubles does
already. That of an inverse is how far P(V <= v | U = u) is from p, over the density.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import time
from pathlib import Path

from exact import DIGITS, Unreachable, exact_tau, make, normal, precise
from mpmath import log, mp, mpf

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = 1e-290
mp.dps = 60


class Program:
    """values.mjs, or another that answers a line of JSON by one."""

    def __init__(self, command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question):
        self.process.stdin.write(json.dumps(question) + '\n')
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return {key: [float(x) for x in value] if isinstance(value, list) else value for key, value in answer.items()}


def draw_parameter(rng, rule):
    low, high = rule['box']
    if rng.random() < 0.1:
        return rng.choice([low, high])
    if rule['scale'] == 'linear':
        return rng.uniform(low, high)
    origin = rule['scale']['log']
    # half of them where data are
    if rng.random() < 0.5:
        low, high = max(low, origin + 0.05), min(high, origin + 20)
    return origin + math.exp(rng.uniform(math.log(low - origin), math.log(high - origin)))


def draw_points(rng, count, spread):
    """In (0, 1): the middle, every corner, near the diagonals."""
    def side(depth):
        return math.exp(-rng.uniform(0.1, depth))

    points = []
    for i in range(count):
        way = i % 5
        if way == 0:
            point = [rng.random(), rng.random()]
        elif way == 1:
            point = [side(30), side(30)]
        elif way == 2:
            point = [1 - side(30), side(30)]
            if rng.random() < 0.5:
                point.reverse()
        elif way == 3:
            point = [1 - side(30), 1 - side(30)]
        else:  # near a diagonal, as wide as the copula is
            u = rng.choice([rng.random(), side(200), 1 - side(30)])
            near = math.exp(rng.gauss(0, 2) * spread)
            v = u * near if u < 0.5 else 1 - (1 - u) * near
            if rng.random() < 0.3:
                v = 1 - v
            point = [u, v]
        points.append([min(max(x, 1e-280), 1 - 2**-53) for x in point])
    return points


def digits_of(*at):
    return DIGITS + int(-math.log10(min(min(x, 1 - x) for x in map(mpf, at))))


def condition(f, at, value, digits):
    """Sum of |d log f / d log x|, x the smaller of u and 1 - u of each argument."""
    total = mpf(0)
    with mp.workdps(digits):
        for i in range(len(at)):
            x = mpf(at[i])
            moved = list(map(mpf, at))
            moved[i] += min(x, 1 - x) * mpf(10) ** -15
            total += abs((f(*moved).real - value) / value) * mpf(10) ** 15
    return total


def neighbours(x):
    """The places around x that its log odds, in double, tell apart"""
    near = mpf(x) * (1 - mpf(x)) * mpf('1e-15') * (1 + abs(math.log(x))) + mpf(x) * mpf('2e-16')
    return mpf(x) - near, min(mpf(x) + near, 1 - mpf(10) ** -25)


def errors_of(copula, answer, points, kind):
    """quantity -> list of (error, condition, point, got, exact)"""
    out = []
    for i, (u, v) in enumerate(points):
        def add(name, got, f, relative=True, log_scale=False):
            if f is None:
                return
            try:
                value, digits = precise(lambda: f(mpf(u), mpf(v)), 30, digits_of(u, v))
                if not log_scale and not SMALLEST < abs(value):
                    return
                bend = condition(f, [u, v], value, digits)
            except (Unreachable, ZeroDivisionError, OverflowError):
                return
            if log_scale:
                error = abs(mpf(got) - log(value)) if math.isfinite(got) else mpf('inf')
                # a density itself underflows where its logarithm is right
                scale = 1 + bend + abs(log(value))
            else:
                error = abs(mpf(got) / value - 1) if math.isfinite(got) else mpf('inf')
                scale = 1 + bend
            shown = log(value) if log_scale else value
            out.append((name, float(error / scale), float(bend), [u, v], got, float(shown)))

        add('logPdf', answer['logPdf'][i], copula.pdf, log_scale=True)
        if kind in ('gaussian', 'student'):
            if i % 3 == 0:  # an integral, to fewer digits
                value = copula.cdf(mpf(u), mpf(v))
                if value > SMALLEST:
                    out.append(
                        ('cdf', float(abs(answer['cdf'][i] / value - 1)), 0.0, [u, v], answer['cdf'][i], float(value))
                    )
        else:
            add('cdf', answer['cdf'][i], copula.cdf)
        add('hfunc1', answer['hfunc1'][i], copula.h1)
        add('hfunc2', answer['hfunc2'][i], copula.h2)
        for name, h, got in (('hinv1', copula.h1, answer['hinv1'][i]), ('hinv2', copula.h2, answer['hinv2'][i])):
            # hinv1(u, p = v), hinv2(p = u, v)
            first = name == 'hinv1'
            if not 1e-280 < got < 1:
                continue
            at = (mpf(u), mpf(got)) if first else (mpf(got), mpf(v))
            p = mpf(v) if first else mpf(u)
            try:
                exact, digits = precise(lambda: h(*at), 30, digits_of(*at))
                density, _ = precise(lambda: copula.pdf(*at), 20, digits_of(*at))
                bend = condition(h, at, exact, digits)
                # what the rounding of the given numbers and of the answer moves
                error = abs(exact - p) / ((1 + bend) * min(p, 1 - p) + density * mpf(got))
                if error > 1e-13:  # too steep for that
                    near = [precise(lambda: h(at[0], x) if first else h(x, at[1]), 30, digits_of(*at))[0] for x in neighbours(got)]
                    error = mpf(0) if near[0] <= p <= near[1] else error
            except (Unreachable, ZeroDivisionError, OverflowError):
                continue
            out.append((name, float(error), float(bend), [u, v], got, float(p)))
    return out


class Level:
    """A level by its smaller tail, which has 60 digits and is then exact."""

    def __init__(self, z):
        self.z = z
        self.upper = z > 0
        with mp.workdps(60):
            self.tail = normal(-abs(mpf(z)))

    def at(self, factor=1):  # as precise as what it is used for
        return 1 - self.tail * factor if self.upper else self.tail * factor


def steep(f, a, b, got, p, first):
    """Whether h passes p between the neighbours of the answer."""
    sides = []
    for step in (-1, 1):
        near = Level(got * (1 + step * 8e-16))
        levels = (a, near) if first else (near, b)
        start = DIGITS + int(max(-log(level.tail, 10) for level in levels))
        try:
            sides.append(precise(lambda: f(*[level.at() for level in levels]), 20, start, 4 * start)[0])
        except (Unreachable, ZeroDivisionError, OverflowError):
            return True
    return min(sides) <= p.tail <= max(sides)


def draw_scores(rng, count, reach):
    def one():
        return rng.choice([-1, 1]) * math.exp(rng.uniform(math.log(0.1), math.log(reach if rng.random() < 0.2 else min(reach, 12))))

    points = []
    for i in range(count):
        a = one()
        points.append([a, rng.choice([-1, 1]) * a * (1 + rng.gauss(0, 0.05)) if i % 2 else one()])
    return points


def score_errors(copula, answer, points):
    """Like errors_of, on the Gaussian scale: of densities, and of the smaller tails of h and its inverses, by their logarithms."""
    out = []
    for i, (x, y) in enumerate(points):
        a, b = Level(x), Level(y)

        def start(*levels):
            return DIGITS + int(max(-log(level.tail, 10) for level in levels))

        def compare(name, f, levels, got, log_got):
            """f(u, v) beside e^log_got(value)"""
            try:
                value, digits = precise(lambda: f(*[level.at() for level in levels]), 20, start(*levels), 4 * start(*levels))
                bend = mpf(0)
                for k in range(2):
                    move = [1 + mpf(10) ** -15 if j == k else 1 for j in range(2)]
                    with mp.workdps(digits):
                        other = f(*[level.at(m) for level, m in zip(levels, move)]).real
                    bend += abs((other - value) / value) * mpf(10) ** 15 * (1 + levels[k].z ** 2)
            except (Unreachable, ZeroDivisionError, OverflowError):
                return
            right = log(value)
            error = abs(log_got - right) if math.isfinite(got) else mpf('inf')
            out.append((name, float(error / (1 + bend + abs(right))), float(bend), [x, y], got, float(right)))

        def tail_of(name, h, levels, got):
            if not math.isfinite(got):
                return
            with mp.workdps(60):
                log_got = log(normal(-abs(mpf(got))))
            compare(name, (lambda u, v: 1 - h(u, v)) if got > 0 else h, levels, got, log_got)

        got = answer['logPdf'][i]
        compare('logPdf', copula.pdf, (a, b), got, mpf(got))
        tail_of('hfunc1', copula.h1, (a, b), answer['hfunc1'][i])
        tail_of('hfunc2', copula.h2, (a, b), answer['hfunc2'][i])
        for name, h, got, p in (('hinv1', copula.h1, answer['hinv1'][i], b), ('hinv2', copula.h2, answer['hinv2'][i], a)):
            # h leads back to p: how far is it, beside what the last digits of the answer move
            found = Level(got)
            levels = (a, found) if name == 'hinv1' else (found, b)
            if math.isfinite(got) and abs(got) < 1.2 * max(abs(x), abs(y)):
                with mp.workdps(60):
                    right = log(p.tail)
                f = (lambda u, v, h=h: 1 - h(u, v)) if p.upper else h
                known = len(out)
                compare(name, f, levels, got, right)
                if len(out) > known and out[-1][1] > 1e-13 and steep(f, a, b, got, p, name == 'hinv1'):
                    out.pop()
    return out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--count', type=int, default=60)
    arguments.add_argument('--points', type=int, default=10)
    arguments.add_argument('--every', type=int, default=1, help='tau at every so many parameters: slow')
    arguments.add_argument('--seconds', type=float, default=math.inf, help='for each kind at most; fewer parameters then')
    arguments.add_argument('--kinds')
    arguments.add_argument('--seed', type=int, default=1)
    arguments.add_argument('--scores', type=float, help='on the Gaussian scale instead, as far as this')
    arguments.add_argument('--fixture', help='write the worst cases here')
    arguments.add_argument('--program', default=f'node {ROOT}/scripts/precision/values.mjs')
    options = arguments.parse_args()
    program = Program(options.program.split())
    rules = program.ask({'rules': True})
    kinds = options.kinds.split(',') if options.kinds else list(rules)
    fixture = []
    print(f"{'kind':14}{'quantity':14}{'worst':>10}  {'cases':>6}  at")
    for kind in kinds:
        rng = random.Random(f'{options.seed} {kind}')
        worst = {}
        count = {}
        end = time.monotonic() + options.seconds
        for i in range(options.count if rules[kind]['parameters'] else 1):
            if i > 0 and time.monotonic() > end:
                break
            parameters = [draw_parameter(rng, rule) for rule in rules[kind]['parameters']]
            rotation = rng.choice([0, 90, 180, 270]) if rules[kind]['rotates'] else 0
            spread = 1 / (1 + max([abs(p) for p in parameters], default=0)) if rng.random() < 0.7 else 0.3
            points = (
                draw_scores(rng, options.points, options.scores)
                if options.scores
                else draw_points(rng, options.points, spread)
            )
            answer = program.ask(
                {
                    'kind': kind,
                    'parameters': parameters,
                    'rotation': rotation,
                    'points': points,
                    'scale': 'gaussian' if options.scores else 'copula',
                }
            )
            copula = make(kind, parameters, rotation)
            found = score_errors(copula, answer, points) if options.scores else errors_of(copula, answer, points, kind)
            if not options.scores and i % options.every == 0:
                tau = exact_tau(kind, parameters) * (1 if rotation in (0, 180) else -1)
                found.append(('tau', float(abs(tau - answer['tau'])), 0, None, answer['tau'], float(tau)))
            if not options.scores and i % options.every == 0 and answer.get('parameter') is not None:
                back = abs(exact_tau(kind, [answer['parameter']]) - exact_tau(kind, parameters))
                found.append(('parameterOfTau', float(back), 0, None, answer['parameter'], parameters[0]))
            for name, error, bend, point, got, value in found:
                count[name] = count.get(name, 0) + 1
                error = math.inf if math.isnan(error) else error
                if name not in worst or error > worst[name][0]:
                    worst[name] = (error, parameters, rotation, point, got, value, bend)
        for name, (error, parameters, rotation, point, got, value, bend) in worst.items():
            print(
                f'{kind:14}{name:14}{error:10.1e}  {count[name]:6}  {parameters} rotation {rotation} at {point}: '
                f'{got!r}, exactly {value!r} (condition {bend:.1e})',
                flush=True,
            )
            fixture.append(
                {
                    'kind': kind,
                    'parameters': parameters,
                    'rotation': rotation,
                    'quantity': name,
                    'point': point,
                    'exact': value,
                    'condition': bend,
                }
            )
    if options.fixture:
        Path(options.fixture).write_text(json.dumps(fixture, indent=1) + '\n')


if __name__ == '__main__':
    main()
