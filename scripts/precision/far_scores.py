#!/usr/bin/env python3
"""log densities on the Gaussian scale as far as |z| = 1000, where levels are 1e-217150 or as near to 1, by formulas that keep both tails.

    python3 scripts/precision/far_scores.py > test/fixtures/reference/far-scores.json
"""

import json

from mpmath import erfc, expm1, gamma, log, log1p, mp, mpf, sqrt

mp.dps = 60


class Level:
    """u and 1 - u, each to full relative precision."""

    def __init__(self, z):
        self.z = mpf(z)
        tail = erfc(abs(self.z) / sqrt(mpf(2))) / 2
        self.p, self.q = (tail, 1 - tail) if z < 0 else (1 - tail, tail)
        self.minus_log = -log(self.p) if z < 0 else -log1p(-tail)


def clayton(u, v, theta):
    a, b = theta * u.minus_log, theta * v.minus_log  # u^-theta = e^a
    return log(1 + theta) + (1 + theta) * (u.minus_log + v.minus_log) - (2 + 1 / theta) * log1p(expm1(a) + expm1(b))


def gumbel(u, v, theta):
    x, y = u.minus_log, v.minus_log
    s = x**theta + y**theta
    t = s ** (1 / theta)
    return -t + x + y + (theta - 1) * (log(x) + log(y)) + (1 / theta - 2) * log(s) + log(t + theta - 1)


def joe(u, v, theta):
    a, b = u.q**theta, v.q**theta
    s = a + b - a * b
    return (1 / theta - 2) * log(s) + (theta - 1) * (log(u.q) + log(v.q)) + log(theta - 1 + s)


def frank(u, v, theta):
    whole = -expm1(-theta)
    return log(theta * whole) - theta * (u.p + v.p) - 2 * log(abs(whole - expm1(-theta * u.p) * expm1(-theta * v.p)))


def amh(u, v, theta):
    d = 1 - theta * u.q * v.q
    return log((1 + theta - 2 * theta * (u.q + v.q) + theta * (1 + theta) * u.q * v.q) / d**3)


def plackett(u, v, theta):
    eta = theta - 1
    s = 1 + eta * (u.p + v.p)
    return log(theta * (1 + eta * (u.p * v.q + v.p * u.q))) - mpf(3) / 2 * log(s**2 - 4 * theta * eta * u.p * v.p)


def fgm(u, v, theta):
    a, b = min(u.p, u.q), min(v.p, v.q)
    sign = 1 if (u.z < 0) == (v.z < 0) else -1
    return log(1 + sign * theta - sign * theta * (2 * (a + b) - 4 * a * b))


def gaussian(u, v, rho):
    x, y = u.z, v.z
    return -log(1 - rho**2) / 2 - (rho**2 * (x**2 + y**2) - 2 * rho * x * y) / (2 * (1 - rho**2))


def empirical_beta(u, v, ranks):
    """Density of the mean of products of beta laws."""
    n = len(ranks)

    def density(level, r):
        return gamma(n + 1) / (gamma(r) * gamma(n - r + 1)) * level.p ** (r - 1) * level.q ** (n - r)

    return log(sum(density(u, r) * density(v, s) for r, s in ranks) / n)


def points():
    for z in [38, 50, 100, 300, 1000]:
        yield from [[z, z], [-z, -z], [z, -z], [-z, z * 1.25], [z, 0.5], [-0.25, -z], [z, z - 0.5]]


def main():
    ranks = [[1, 2], [2, 1], [3, 5], [4, 3], [5, 4], [6, 8], [7, 9], [8, 6], [9, 7]]
    cases = []
    for kind, formula, name, parameters in [
        ('independence', lambda u, v, _: mpf(0), None, [0]),
        ('clayton', clayton, 'theta', [0.3, 2, 20]),
        ('gumbel', gumbel, 'theta', [1.25, 2, 20]),
        ('joe', joe, 'theta', [1.25, 2, 20]),
        ('frank', frank, 'theta', [-20, -2, 0.5, 5, 40]),
        ('amh', amh, 'theta', [-1, -0.5, 0.5, 0.75]),
        ('plackett', plackett, 'theta', [0.125, 3, 1000]),
        ('fgm', fgm, 'theta', [-0.75, 0.5, 1]),
        ('gaussian', gaussian, 'rho', [-0.5, 0.75]),
        ('empirical-beta', empirical_beta, 'ranks', [ranks]),
    ]:
        for parameter in parameters:
            for point in points():
                u, v = Level(point[0]), Level(point[1])
                value = formula(u, v, parameter if name == 'ranks' else mpf(parameter))
                cases.append({'kind': kind, 'parameter': {name: parameter} if name else {}, 'point': point, 'logPdf': float(value)})
    print('[\n' + ',\n'.join(json.dumps(case) for case in cases) + '\n]')


main()
