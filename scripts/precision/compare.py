#!/usr/bin/env python3
"""Compares every family with arbitrary precision at random parameters and points; prints the worst cases.

    npm run precision                       # some minutes
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

from exact import DIGITS, Unreachable, exact_tau, make, precise
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


def condition(f, at, value):
    """Sum of |d log f / d log x|, x the smaller of u and 1 - u of each argument."""
    total = mpf(0)
    for i in range(len(at)):
        x = mpf(at[i])
        small = min(x, 1 - x)
        step = small * mpf(10) ** -20
        moved = list(map(mpf, at))
        moved[i] += step
        other = precise(lambda: f(*moved), 25, digits_of(*at))
        total += abs((other - value) / value) * mpf(10) ** 20
    return total


def neighbours(x):
    step = mpf(x) * mpf('4e-16')
    return mpf(x) - step, min(mpf(x) + step, 1 - mpf(10) ** -25)


def errors_of(copula, answer, points, kind):
    """quantity -> list of (error, condition, point, got, exact)"""
    out = []
    for i, (u, v) in enumerate(points):
        def add(name, got, f, relative=True, log_scale=False):
            if f is None:
                return
            try:
                value = precise(lambda: f(mpf(u), mpf(v)), 30, digits_of(u, v))
                if not log_scale and not SMALLEST < abs(value):
                    return
                bend = condition(f, [u, v], value)
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
        if kind == 'gaussian':  # one integral, to fewer digits
            value = copula.cdf(mpf(u), mpf(v))
            out.append(('cdf', float(abs(answer['cdf'][i] / value - 1)), 0.0, [u, v], answer['cdf'][i], float(value)))
        elif kind != 'student':
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
                exact = precise(lambda: h(*at), 30, digits_of(*at))
                density = precise(lambda: copula.pdf(*at), 30, digits_of(*at))
                bend = condition(h, at, exact)
                # what the rounding of the given numbers and of the answer moves
                error = abs(exact - p) / ((1 + bend) * min(p, 1 - p) + density * mpf(got))
                if error > 1e-13:  # too steep for that
                    near = [precise(lambda: h(at[0], x) if first else h(x, at[1]), 30, digits_of(*at)) for x in neighbours(got)]
                    error = mpf(0) if near[0] <= p <= near[1] else error
            except (Unreachable, ZeroDivisionError, OverflowError):
                continue
            out.append((name, float(error), float(bend), [u, v], got, float(p)))
    return out


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('--count', type=int, default=60)
    arguments.add_argument('--points', type=int, default=10)
    arguments.add_argument('--seconds', type=float, default=math.inf, help='for each kind at most; fewer parameters then')
    arguments.add_argument('--kinds')
    arguments.add_argument('--seed', type=int, default=1)
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
            points = draw_points(rng, options.points, spread)
            answer = program.ask(
                {'kind': kind, 'parameters': parameters, 'rotation': rotation, 'points': points}
            )
            found = errors_of(make(kind, parameters, rotation), answer, points, kind)
            tau = exact_tau(kind, parameters) * (1 if rotation in (0, 180) else -1)
            found.append(('tau', float(abs(tau - answer['tau'])), 0, None, answer['tau'], float(tau)))
            if answer.get('parameter') is not None:
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
