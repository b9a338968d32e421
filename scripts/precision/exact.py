"""Bivariate copulas by textbook formulas in arbitrary precision (mpmath): Joe (2014), chapter 4; Nelsen (2006), table 4.1.

Written with the derivatives of phi, l and A, not with those of psi and without any of the rearrangements of the native code;
digits are added until what cancels no longer matters.
"""

from mpmath import asin, betainc, cos, digamma, erfc, exp, expm1, gamma, inf, isnan, log, log1p, mp, mpf, pi, polylog, quad, sin, sqrt

DIGITS = 70
MOST_DIGITS = 1000


class Unreachable(Exception):
    """More digits would be needed than are worth the time."""


def normal(x):
    return erfc(-x / sqrt(mpf(2))) / 2


def normal_density(x):
    return exp(-x * x / 2) / sqrt(2 * pi)


def newton(f, slope, x):
    for _ in range(200):
        step = f(x) / slope(x)
        x -= step
        if abs(step) <= abs(x) * mpf(10) ** (-mp.dps // 2 - 5):
            return x - f(x) / slope(x)
    raise Unreachable


def tail_quantile(p, log_tail, hazard, start):
    """x with tail(x) = p, by Newton on the logarithm."""
    return newton(lambda x: log_tail(x) - log(p), lambda x: -hazard(x), start)


def remembered(f):
    """Quantiles are looked up often with the same arguments, and digits."""
    known = {}

    def g(*at):
        key = (mp.prec, *at)
        if key not in known:
            if len(known) > 500:
                known.clear()
            known[key] = f(*at)
        return known[key]

    return g


@remembered
def normal_quantile(p):
    if p > mpf(1) / 2:
        return -normal_quantile(1 - p)
    if p == mpf(1) / 2:
        return mpf(0)
    from scipy.stats import norm

    x = mpf(float(norm.isf(float(p)))) if p > mpf(10) ** -300 else sqrt(-2 * log(p))
    return -tail_quantile(p, lambda t: log(normal(-t)), lambda t: normal_density(t) / normal(-t), x)


def t_density(x, n):
    return gamma((n + 1) / 2) / (sqrt(n * pi) * gamma(n / 2)) * (1 + x * x / n) ** (-(n + 1) / 2)


def t_tail(x, n):  # P(T > x), x > 0
    return betainc(n / 2, mpf(1) / 2, 0, n / (n + x * x), regularized=True) / 2


def t_cdf(x, n):
    return 1 - t_tail(x, n) if x > 0 else mpf(1) / 2 if x == 0 else t_tail(-x, n)


@remembered
def t_quantile(p, n):
    if p > mpf(1) / 2:
        return -t_quantile(1 - p, n)
    if p == mpf(1) / 2:
        return mpf(0)
    from scipy.stats import t

    x = mpf(float(t.isf(float(p), float(n))))
    return -tail_quantile(p, lambda s: log(t_tail(s, n)), lambda s: t_density(s, n) / t_tail(s, n), x)


class Generator:
    """phi of u, its first two derivatives, and psi; `size` of what is exponentiated, `digits` that psi takes beside those kept"""

    def __init__(self, phi, d1, d2, psi, size=None, digits=0):
        self.phi, self.d1, self.d2, self.psi, self.size, self.digits = phi, d1, d2, psi, size, digits


def independence():
    return Generator(lambda u: -log(u), lambda u: -1 / u, lambda u: 1 / u**2, lambda s: exp(-s))


def clayton(t):
    return Generator(
        lambda u: u**-t - 1, lambda u: -t * u ** (-t - 1), lambda u: t * (t + 1) * u ** (-t - 2), lambda s: (1 + s) ** (-1 / t)
    )


def joe(t):
    return bb8(t, mpf(1))


def bb8(t, d):
    eta = lambda: 1 - (1 - d) ** t  # as precise as what it is used for
    base = lambda u: 1 - d * u
    return Generator(
        lambda u: -log(1 - ((1 - d * u) ** t - (1 - d) ** t) / eta()) if d < 1 else -log1p(-(base(u) ** t)),
        lambda u: -t * d * base(u) ** (t - 1) / (1 - base(u) ** t),
        lambda u: d * d * t * base(u) ** (t - 2) * (t - 1 + base(u) ** t) / (1 - base(u) ** t) ** 2,
        lambda s: (1 - (1 - eta() * exp(-s)) ** (1 / t)) / d if d < 1 else 1 - (-expm1(-s)) ** (1 / t),
        digits=int(-2 * t * log(1 - d, 10)) if d < 1 else 0,
    )


def frank(t):
    return Generator(
        lambda u: -log(expm1(-t * u) / expm1(-t)),
        lambda u: -t / expm1(t * u),
        lambda u: t * t * exp(t * u) / expm1(t * u) ** 2,
        lambda s: -log1p(expm1(-t) * exp(-s)) / t,
    )


def amh(t):
    return Generator(
        lambda u: log((1 - t * (1 - u)) / u),
        lambda u: (t - 1) / (u * (1 - t * (1 - u))),
        lambda u: (1 - t) * (1 - t + 2 * t * u) / (u * (1 - t * (1 - u))) ** 2,
        lambda s: (1 - t) / (exp(s) - t),
    )


def power(base, d):
    """phi^d"""
    return Generator(
        lambda u: base.phi(u) ** d,
        lambda u: d * base.phi(u) ** (d - 1) * base.d1(u),
        lambda u: d * base.phi(u) ** (d - 2) * ((d - 1) * base.d1(u) ** 2 + base.phi(u) * base.d2(u)),
        lambda s: base.psi(s ** (1 / d)),
        digits=base.digits,
    )


def exponential(base, d):
    """e^(d phi) - 1"""
    return Generator(
        lambda u: expm1(d * base.phi(u)),
        lambda u: d * base.d1(u) * exp(d * base.phi(u)),
        lambda u: d * exp(d * base.phi(u)) * (base.d2(u) + d * base.d1(u) ** 2),
        lambda s: base.psi(log1p(s) / d),
        lambda u: d * base.phi(u),
    )


class Tail:
    """l(x, y) and its derivatives by x, y and both"""

    def __init__(self, l, x, y, xy):
        self.l, self.x, self.y, self.xy = l, x, y, xy


def total():
    one, zero = mpf(1), mpf(0)
    return Tail(lambda x, y: x + y, lambda x, y: one, lambda x, y: one, lambda x, y: zero)


def galambos(d):
    s = lambda x, y: x**-d + y**-d
    return Tail(
        lambda x, y: x + y - s(x, y) ** (-1 / d),
        lambda x, y: 1 - s(x, y) ** (-1 / d - 1) * x ** (-d - 1),
        lambda x, y: 1 - s(x, y) ** (-1 / d - 1) * y ** (-d - 1),
        lambda x, y: -(1 + d) * s(x, y) ** (-1 / d - 2) * (x * y) ** (-d - 1),
    )


def husler_reiss(d):
    z = lambda x, y: 1 / d + d / 2 * log(x / y)
    return Tail(
        lambda x, y: x * normal(z(x, y)) + y * normal(z(y, x)),
        lambda x, y: normal(z(x, y)),
        lambda x, y: normal(z(y, x)),
        lambda x, y: -d / 2 * normal_density(z(x, y)) / y,
    )


def tawn(a, b, t):
    s = lambda x, y: (a * x) ** t + (b * y) ** t
    return Tail(
        lambda x, y: (1 - a) * x + (1 - b) * y + s(x, y) ** (1 / t),
        lambda x, y: 1 - a + a * (a * x) ** (t - 1) * s(x, y) ** (1 / t - 1),
        lambda x, y: 1 - b + b * (b * y) ** (t - 1) * s(x, y) ** (1 / t - 1),
        lambda x, y: (1 - t) * a * b * (a * x * b * y) ** (t - 1) * s(x, y) ** (1 / t - 2),
    )


class Archimax:
    def __init__(self, generator, tail):
        self.g, self.t = generator, tail

    def parts(self, u, v):
        x, y = self.g.phi(u), self.g.phi(v)
        return x, y, self.g.psi(self.t.l(x, y))

    def cdf(self, u, v):
        return self.with_digits(u, v, lambda: self.parts(u, v)[2])

    def with_digits(self, u, v, f):
        g = self.g
        digits = mp.dps + g.digits
        if g.size:
            size = max(g.size(u), g.size(v))
            if size > mpf(10) ** 250:
                raise Unreachable
            if size > 1:
                digits += 2 * int(log(size, 10)) + 10
        with mp.workdps(digits):
            return f()

    def h1(self, u, v):
        def value():
            x, y, c = self.parts(u, v)
            return self.g.d1(u) / self.g.d1(c) * self.t.x(x, y)

        return self.with_digits(u, v, value)

    def h2(self, u, v):
        def value():
            x, y, c = self.parts(u, v)
            return self.g.d1(v) / self.g.d1(c) * self.t.y(x, y)

        return self.with_digits(u, v, value)

    def pdf(self, u, v):
        def value():
            x, y, c = self.parts(u, v)
            d1, d2 = self.g.d1(c), self.g.d2(c)
            bend = -d2 / d1**3 * self.t.x(x, y) * self.t.y(x, y) + self.t.xy(x, y) / d1
            return bend * self.g.d1(u) * self.g.d1(v)

        return self.with_digits(u, v, value)


class Fgm:
    def __init__(self, t):
        self.t = t

    def cdf(self, u, v):
        return u * v * (1 + self.t * (1 - u) * (1 - v))

    def h1(self, u, v):
        return v * (1 + self.t * (1 - 2 * u) * (1 - v))

    def h2(self, u, v):
        return self.h1(v, u)

    def pdf(self, u, v):
        return 1 + self.t * (1 - 2 * u) * (1 - 2 * v)


class Plackett:
    def __init__(self, t):
        self.t, self.e = t, t - 1

    def root(self, u, v):
        return sqrt((1 + self.e * (u + v)) ** 2 - 4 * self.t * self.e * u * v)

    def cdf(self, u, v):
        return (1 + self.e * (u + v) - self.root(u, v)) / (2 * self.e)

    def h1(self, u, v):
        return (1 - (1 + self.e * (u + v) - 2 * self.t * v) / self.root(u, v)) / 2

    def h2(self, u, v):
        return self.h1(v, u)

    def pdf(self, u, v):
        return self.t * (1 + self.e * (u + v - 2 * u * v)) / self.root(u, v) ** 3


class Elliptical:
    @property
    def s(self):  # as precise as what it is used for
        return sqrt(1 - self.r * self.r)

    def cdf(self, u, v):
        """Plackett's integral along the sine of the correlation, from -1"""
        with mp.workdps(25 + int(-log(min(u, v), 10))):
            h, k, top = self.quantile(u), self.quantile(v), asin(self.r)
            sides = max(abs(h + k), mpf(10) ** -20), max(abs(h - k), mpf(10) ** -20)
            peak = min(asin((sides[0] - sides[1]) / (sides[0] + sides[1])), top)
            edges = [peak + sign * mpf(3) ** -j for j in range(-1, 16) for sign in (-1, 1)] + [peak]
            edges += [sign * (pi / 2 - mpf(4) ** -j) for j in range(1, 12) for sign in (-1, 1)]
            edges = sorted(e for e in edges if -pi / 2 < e < top)
            f = lambda a: self.ring((h * h + k * k - 2 * h * k * sin(a)) / cos(a) ** 2)
            most = f(peak)  # quad looks at absolute errors
            with mp.workdps(30):
                whole = most * quad(lambda a: f(a) / most, [-pi / 2, *edges, top])
            return max(mpf(0), u + v - 1) + whole / (2 * pi)


class Gaussian(Elliptical):
    def __init__(self, r):
        self.r = r

    def quantile(self, u):
        return normal_quantile(u)

    def ring(self, q):
        return exp(-q / 2)

    def h1(self, u, v):
        return normal((normal_quantile(v) - self.r * normal_quantile(u)) / self.s)

    def h2(self, u, v):
        return self.h1(v, u)

    def pdf(self, u, v):
        x, y, r = normal_quantile(u), normal_quantile(v), self.r
        return exp(-(r * r * (x * x + y * y) - 2 * r * x * y) / (2 * self.s**2)) / self.s


class Student(Elliptical):
    def __init__(self, r, n):
        self.r, self.n = r, n

    def quantile(self, u):
        return t_quantile(u, self.n)

    def ring(self, q):
        return (1 + q / self.n) ** (-self.n / 2)

    def h1(self, u, v):
        x, y, n = t_quantile(u, self.n), t_quantile(v, self.n), self.n
        return t_cdf((y - self.r * x) / (self.s * sqrt((n + x * x) / (n + 1))), n + 1)

    def h2(self, u, v):
        return self.h1(v, u)

    def pdf(self, u, v):
        x, y, n, r = t_quantile(u, self.n), t_quantile(v, self.n), self.n, self.r
        form = (x * x + y * y - 2 * r * x * y) / (n * self.s**2)
        return (1 + form) ** (-(n + 2) / 2) / (2 * pi * self.s) / (t_density(x, n) * t_density(y, n))


class Rotated:
    """counter-clockwise: c90(u, v) = c(v, 1 - u), c180 = c(1 - u, 1 - v), c270 = c(1 - v, u)"""

    def __init__(self, base, rotation):
        self.base, self.rotation = base, rotation

    def turned(self, u, v):
        return {0: (u, v), 90: (v, 1 - u), 180: (1 - u, 1 - v), 270: (1 - v, u)}[self.rotation]

    def pdf(self, u, v):
        return self.base.pdf(*self.turned(u, v))

    def cdf(self, u, v):
        c = self.base.cdf(*self.turned(u, v))
        return {0: c, 90: v - c, 180: u + v - 1 + c, 270: u - c}[self.rotation]

    def h1(self, u, v):
        at = self.turned(u, v)
        first = self.rotation in (0, 180)
        h = self.base.h1(*at) if first else self.base.h2(*at)
        return h if self.rotation in (0, 90) else 1 - h

    def h2(self, u, v):
        at = self.turned(u, v)
        first = self.rotation in (0, 180)
        h = self.base.h2(*at) if first else self.base.h1(*at)
        return h if self.rotation in (0, 270) else 1 - h


def make(kind, parameters, rotation=0):
    p = [mpf(value) for value in parameters]
    own = {
        'independence': lambda: Archimax(independence(), total()),
        'clayton': lambda: Archimax(clayton(*p), total()),
        'gumbel': lambda: Archimax(power(independence(), *p), total()),
        'frank': lambda: Archimax(frank(*p), total()),
        'joe': lambda: Archimax(joe(*p), total()),
        'amh': lambda: Archimax(amh(*p), total()),
        'bb1': lambda: Archimax(power(clayton(p[0]), p[1]), total()),
        'bb2': lambda: Archimax(exponential(clayton(p[0]), p[1]), total()),
        'bb3': lambda: Archimax(exponential(power(independence(), p[0]), p[1]), total()),
        'bb4': lambda: Archimax(clayton(p[0]), galambos(p[1])),
        'bb5': lambda: Archimax(power(independence(), p[0]), galambos(p[1])),
        'bb6': lambda: Archimax(power(joe(p[0]), p[1]), total()),
        'bb7': lambda: Archimax(exponential(joe(p[0]), p[1]), total()),
        'bb8': lambda: Archimax(bb8(*p), total()),
        'galambos': lambda: Archimax(independence(), galambos(*p)),
        'husler-reiss': lambda: Archimax(independence(), husler_reiss(*p)),
        'tawn': lambda: Archimax(independence(), tawn(*p)),
        'fgm': lambda: Fgm(*p),
        'plackett': lambda: Plackett(*p),
        'gaussian': lambda: Gaussian(*p),
        'student': lambda: Student(*p),
    }[kind]()
    return Rotated(own, rotation)


def precise(f, least_digits=30, digits=DIGITS, most=MOST_DIGITS):
    """f() and the digits it takes: they are added until the value keeps its own, and is not what rounding leaves of larger ones."""
    while digits <= most:
        with mp.workdps(digits):
            value = f()
        more = digits + digits // 2
        with mp.workdps(more):
            better = f()
        value, better = value.real, better.real  # powers of noise below 0 are complex
        kept = not isnan(better) and abs(value - better) <= abs(better) * mpf(10) ** -least_digits
        if kept and better > mpf(10) ** (least_digits - digits):
            return better, more
        digits *= 2
    raise Unreachable


def tau_of_generator(g, steep=()):
    """1 + 4 int phi / phi', in log odds, with edges where it bends"""
    def f(t):
        u = 1 / (1 + exp(-t))
        w = u / (1 + exp(t))
        with mp.workdps(60 + g.digits):
            return g.phi(u) / g.d1(u) * w if w > mpf(10) ** -40 else mpf(0)

    edges = sorted({mpf(k) for k in range(-48, 49, 4)} | {mpf(edge) for edge in steep if -48 < edge < 48})
    return 1 + 4 * quad(f, edges)


def around(centre, width):
    return [centre + sign * width * 2**k for k in range(-2, 6) for sign in (-1, 1)] + [centre]


def logit(u):
    return float(log(u / (1 - u)))


def tau_of_tail(t, centre, width):
    """int -l_xy y / l along log(y / x)"""
    def f(z):
        x, y = exp(-z / 2), exp(z / 2)
        return -t.xy(x, y) * x * y / t.l(x, y)

    edges = [e for e in around(centre, width) + around(mpf(0), mpf(1))]
    edges += [centre - 80 * width, centre + 80 * width]
    return quad(f, sorted(set(edges)))


def exact_tau(kind, parameters):
    """To about 14 digits."""
    p = [mpf(value) for value in parameters]
    with mp.workdps(20):
        if kind in ('independence',):
            return mpf(0)
        if kind in ('gaussian', 'student'):
            return 2 / pi * asin(p[0])
        if kind == 'clayton':
            return p[0] / (p[0] + 2)
        if kind == 'gumbel':
            return 1 - 1 / p[0]
        if kind == 'fgm':
            return 2 * p[0] / 9
        if kind == 'frank':
            t = abs(p[0])
            with mp.workdps(40):
                debye = (pi**2 / 6 - polylog(2, exp(-t)) + t * log1p(-exp(-t))) / t
                return (1 - 4 / t * (1 - debye)) * (1 if p[0] > 0 else -1)
        if kind == 'amh':
            t = p[0]
            with mp.workdps(60):
                return 1 - 2 * (t + (1 - t) ** 2 * log(1 - t)) / (3 * t * t)
        if kind == 'joe':
            with mp.workdps(40):
                return joe_tau(p[0])
        if kind == 'bb1':
            return 1 - 2 / (p[1] * (p[0] + 2))
        if kind == 'bb6':
            return 1 - (1 - joe_tau(p[0])) / p[1]
        if kind == 'plackett':
            return plackett_tau(p[0])
        if kind in ('galambos', 'bb4', 'bb5'):
            own = tau_of_tail(galambos(p[-1]), mpf(0), 1 / (1 + p[-1]))
            rest = {'galambos': 0, 'bb4': p[0] / (p[0] + 2), 'bb5': 1 - 1 / p[0]}[kind]
            return own + (1 - own) * rest
        if kind == 'husler-reiss':
            return tau_of_tail(husler_reiss(p[0]), mpf(0), 1 / (1 + p[0] / 2))
        if kind == 'tawn':
            return tau_of_tail(tawn(*p), log(p[0] / p[1]), 1 / p[2])
        if kind == 'bb2':  # where d (u^-t - 1) is about 1
            knee = (1 + 1 / p[1]) ** (-1 / p[0])
            return tau_of_generator(exponential(clayton(p[0]), p[1]), around(logit(knee), max(1 / (1 + p[0]), mpf('.01'))))
        if kind == 'bb3':  # where d (-log u)^t is
            knee = exp(-((1 / p[1]) ** (1 / p[0])))
            return tau_of_generator(exponential(power(independence(), p[0]), p[1]), around(logit(knee), 1 / p[0]))
        if kind == 'bb7':
            return tau_of_generator(exponential(joe(p[0]), p[1]), around(logit(1 - p[0] ** -1 if p[0] > 1.1 else mpf('.5')), mpf(1) / 2))
        if kind == 'bb8':
            return tau_of_generator(bb8(*p))
    raise ValueError(kind)


def joe_tau(t):
    if t == 2:
        return 2 - pi**2 / 6
    return 1 + 2 / (2 - t) * (digamma(mpf(2)) - digamma(2 / t + 1))


def plackett_tau(t):
    """1 - 4 int dC/du dC/dv, its inner integral done by hand (docs/mathematics.md, M.1)"""
    if t < 1:
        return -plackett_tau(1 / t)
    e = t - 1

    def inner(d):
        p = sqrt(t / e + t * d * d)
        return (1 - d) / e + t * (e * d - 1) * (e * d + 1) / e**2 / p * log((p + 1 - d) * sqrt(e) / (1 + e * d))

    with mp.workdps(40):
        edges = [mpf(0)] + [x for x in (mpf(4) ** k / e / 4 for k in range(40)) if x < 1] + [mpf(1)]
        return 2 * quad(inner, edges)
