"""The models of the GPU suite as pure functions of their parameters, without a tape.

The same algorithm as FourPass of cdc_train.py (docs/mathematics.md, L), in the form that a compiler can fuse: shapes are
static, nothing is written in place, nothing waits for the host. Parameters may carry a leading dimension of models, which
makes an ensemble. `Arithmetic` says how the wide products (hidden x hidden) are computed; products with the few columns of
the data or the noise levels, losses and states stay in the precision of the parameters.
"""
import torch
from torch.nn import functional

from cdc_train import ADAM_EPS, BETA1, BETA2, CE_WEIGHT, LEARNING_RATE, MAX_NORM


class Arithmetic:
    """Wide products and what is stored between them: exact, in a 16-bit type, or as three TF32 products."""

    def __init__(self, name="exact"):
        self.half = {"fp16": torch.float16, "bf16": torch.bfloat16}.get(name)
        self.split = name == "tf32x3"

    def keep(self, value):
        return value if self.half is None else value.to(self.half)

    def product(self, a, b):
        if self.half is not None:
            return (a.to(self.half) @ b.to(self.half)).to(torch.float32)
        if self.split:
            a_high, b_high = tf32(a), tf32(b)
            return a_high @ b_high + ((a - a_high) @ b_high + a_high @ (b - b_high))
        return a @ b


EXACT = Arithmetic()


def tf32(value):
    """Rounded to ten bits of mantissa, so that a TF32 product of such values is exact."""
    bits = value.view(torch.int32)
    return ((bits + 0x1000) & ~0x1FFF).view(torch.float32)


def silu_derivatives(u):
    """silu(u) and its first two derivatives."""
    s = torch.sigmoid(u)
    f = u * s
    f1 = s + f - s * f
    return f, f1, s + f1 - 2 * s * f1


def inner_derivatives(a, smooth):
    if smooth:
        return silu_derivatives(a)
    on = (a > 0).to(a.dtype)
    return a * on, on, torch.zeros_like(a)


def linear(x, weight, bias):
    return x @ weight.mT + bias.unsqueeze(-2)


def one_hot(t, levels, dtype):
    return (t.unsqueeze(-1) == torch.arange(levels, device=t.device)).to(dtype)


def column_sums(rows):
    return rows.sum(-2)


def fold_input(w0, b0, w1, b1):
    """The input projection has no activation after it: W1 W0 and W1 b0 + b1 are one linear map."""
    return w1 @ w0, (w1 @ b0.unsqueeze(-1)).squeeze(-1) + b1


# ---------------------------------------------------------------- classifier of a CDC


def forward(parameters, x, arithmetic=EXACT, smooth=True):
    """Logits, and per block what the other passes need: h, p, inner f' and f'', outer f' and f''."""
    keep, product = arithmetic.keep, arithmetic.product
    w0, b0, w1, b1 = parameters[:4]
    folded, folded_bias = fold_input(w0, b0, w1, b1)
    h, saved = linear(x, w0, b0), []
    for k in range((len(parameters) - 4) // 4):
        w1, b1, w2, b2 = parameters[2 + 4 * k : 6 + 4 * k]
        a = product(keep(h), w1.mT) + b1.unsqueeze(-2) if k else linear(x, folded, folded_bias)
        p, a1, a2 = inner_derivatives(a, smooth)
        p = keep(p)
        z = h + product(p, w2.mT) + b2.unsqueeze(-2)
        previous = keep(h)
        h, f1, f2 = silu_derivatives(z)
        saved.append((previous, p, keep(a1), keep(a2), keep(f1), keep(f2)))
    return linear(h, parameters[-2], parameters[-1]), h, saved, folded


def input_gradient(parameters, saved, folded, e, rows=slice(None), arithmetic=EXACT):
    """Pass 2: the gradient of e . logits by x, and the adjoints lambda, mu, nu and u = W2' mu of every block."""
    keep, product = arithmetic.keep, arithmetic.product
    lam, adjoints = e @ parameters[-2], [None] * len(saved)
    for k in reversed(range(len(saved))):
        w1, w2 = parameters[2 + 4 * k], parameters[4 + 4 * k]
        _, _, a1, _, f1, _ = (v[..., rows, :] for v in saved[k])
        mu = f1 * lam
        u = product(mu, w2)
        nu = a1 * u
        adjoints[k] = (keep(lam), keep(mu), keep(nu), keep(u))
        if k:
            lam = mu + product(nu, w1)
    return mu @ parameters[0] + nu @ folded, adjoints


def cdc_gradients(parameters, x, t, eps, sigma, active, arithmetic=EXACT, smooth=True, scale=1.0):
    """Loss and gradients of one step. Rows [0, active) have an inner level; the others take no part in passes 2 and 3.

    `scale` multiplies the seeds of the adjoints, to keep them in the range of 16-bit types, and is taken out of the
    gradients again.
    """
    keep, product = arithmetic.keep, arithmetic.product
    batch, dim = x.shape[-2:]
    levels = parameters[-1].shape[-1]
    rows = slice(0, active)

    logits, h_last, saved, folded = forward(parameters, x, arithmetic, smooth)
    hot = one_hot(t, levels, x.dtype)
    last = one_hot(torch.full_like(t[..., :1], levels - 1), levels, x.dtype)
    e = hot[..., rows, :] - last
    g, adjoints = input_gradient(parameters, saved, folded, e, rows, arithmetic)

    # loss; r = dloss/dg, c = dloss/dlogits
    noise = sigma.unsqueeze(-1)
    residual = noise * (x - functional.pad(g, (0, 0, 0, batch - active))) - eps
    log_p = torch.log_softmax(logits, -1)
    loss = (residual.square().sum((-2, -1)) / dim - CE_WEIGHT * (log_p * hot).sum((-2, -1))) / batch
    r = (noise * residual)[..., rows, :] * (-2.0 * scale / (batch * dim))
    c = (log_p.exp() - hot) * (CE_WEIGHT * scale / batch)

    # pass 3: tangent along r; the sources f'' of pass 4
    dh, tangents = r @ parameters[0].mT, []
    for k in range(len(saved)):
        w1, w2 = parameters[2 + 4 * k], parameters[4 + 4 * k]
        _, _, a1, a2, f1, f2 = (v[..., rows, :] for v in saved[k])
        lam, _, _, u = adjoints[k]
        da = product(dh, w1.mT) if k else r @ folded.mT
        dp = a1 * da
        dz = dh + product(dp, w2.mT)
        tangents.append((keep(dh), keep(dp), keep(a2 * da * u), keep(f2 * dz * lam)))
        dh = f1 * dz

    # pass 4: second adjoint merged with the backward of the cross-entropy; every weight gradient is one product
    grads = [None] * len(parameters)
    grads[-2] = c.mT @ h_last + e.mT @ dh
    grads[-1] = column_sums(c)
    capital = c @ parameters[-2]
    below = lambda v: functional.pad(v, (0, 0, 0, batch - active))
    tall = lambda a, b: torch.cat((keep(a), keep(b)), -2)
    for k in reversed(range(len(saved))):
        w1, w2 = parameters[2 + 4 * k], parameters[4 + 4 * k]
        h, p, a1, _, f1, _ = saved[k]
        _, mu, nu, _ = adjoints[k]
        dh, dp, inner, outer = tangents[k]
        m = f1 * capital + below(outer)
        n = a1 * product(m, w2) + below(inner)
        grads[4 + 4 * k] = product(tall(m, mu).mT, tall(p, dp))
        grads[5 + 4 * k] = column_sums(m)
        grads[3 + 4 * k] = column_sums(n)
        if k:
            grads[2 + 4 * k] = product(tall(n, nu).mT, tall(h, dh))
            capital = m + product(n, w1)
        else:
            thin = n.mT @ x + nu.to(r.dtype).mT @ r
            w0, b0 = parameters[:2]
            grads[2] = thin @ w0.mT + grads[3].unsqueeze(-1) * b0.unsqueeze(-2)
            grads[0] = m.mT @ x + mu.to(r.dtype).mT @ r + w1.mT @ thin
            grads[1] = grads[5] + (w1.mT @ grads[3].unsqueeze(-1)).squeeze(-1)
    return loss, [g / scale for g in grads]


def level_difference(level, levels, like):
    """e of logit_level - logit_last, 1 x levels."""
    numbers = torch.tensor([[level], [levels - 1]], device=like.device)
    hot = one_hot(numbers[:, 0], levels, like.dtype)
    return hot[:1] - hot[1:]


def cdc_field(parameters, x, e, arithmetic=EXACT, smooth=True):
    """G = grad_x e . logits; e is 1 x levels."""
    _, _, saved, folded = forward(parameters, x, arithmetic, smooth)
    return input_gradient(parameters, saved, folded, e.expand(x.shape[0], -1), arithmetic=arithmetic)[0]


def cdc_log_ratio(parameters, x, arithmetic=EXACT, smooth=True):
    logits = forward(parameters, x, arithmetic, smooth)[0]
    return logits[..., 0] - logits[..., -1]


# ---------------------------------------------------------------- published network of a reflection copula


def fold(y):
    """Into the unit cube by reflection, and the sign that a velocity gets."""
    inside = torch.remainder(y, 2)
    return 1 - (inside - 1).abs(), torch.where(inside < 1, 1.0, -1.0)


def mlp(parameters, x, arithmetic=EXACT):
    """Linear (folded into the next one), then silu(linear) ..., linear; and the values that a gradient needs."""
    keep, product = arithmetic.keep, arithmetic.product
    folded, bias = fold_input(*parameters[:4])
    z, saved = linear(x, folded, bias), []
    for k in range(2, len(parameters) // 2):
        f, f1, _ = silu_derivatives(z)
        saved.append((keep(f), keep(f1)))
        w, b = parameters[2 * k : 2 * k + 2]
        z = linear(f, w, b) if k == len(parameters) // 2 - 1 else product(keep(f), w.mT) + b.unsqueeze(-2)
    return z, saved


def mlp_gradients(parameters, x, target, arithmetic=EXACT, scale=1.0):
    """Loss mean (output - target)^2 and its gradients."""
    product = arithmetic.product
    output, saved = mlp(parameters, x, arithmetic)
    residual = output - target
    loss = residual.square().mean((-2, -1))
    adjoint = residual * (2.0 * scale / (x.shape[-2] * target.shape[-1]))
    grads = [None] * len(parameters)
    last = len(parameters) // 2 - 1
    for k in range(last, 1, -1):
        f, f1 = saved[k - 2]
        w = parameters[2 * k]
        thin = k == last
        grads[2 * k] = adjoint.mT @ f.to(adjoint.dtype) if thin else product(adjoint.mT, f)
        grads[2 * k + 1] = column_sums(adjoint)
        adjoint = f1 * (adjoint @ w if thin else product(adjoint, w))
    w0, b0, w1, _ = parameters[:4]
    thin = adjoint.mT @ x
    grads[3] = column_sums(adjoint)
    grads[2] = thin @ w0.mT + grads[3].unsqueeze(-1) * b0.unsqueeze(-2)
    grads[0] = w1.mT @ thin
    grads[1] = (w1.mT @ grads[3].unsqueeze(-1)).squeeze(-1)
    return loss, [g / scale for g in grads]


# ---------------------------------------------------------------- parameters as one vector


def wide_weights(parameters):
    """Those that take part in wide products alone: all matrices but the first two, which are folded, and the last."""
    return set(range(4, len(parameters) - 2, 2))


class Training:
    """Parameters and the state of Adam as single vectors (models x size for an ensemble), updated in place."""

    def __init__(self, parameters, arithmetic=EXACT, models=0):
        self.shapes, self.wide, self.arithmetic = [p.shape for p in parameters], wide_weights(parameters), arithmetic
        flat = torch.cat([p.detach().reshape(-1) for p in parameters])
        self.values = flat.expand(models, -1).contiguous() if models else flat
        self.m, self.v = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.step = torch.zeros((), device=flat.device, dtype=flat.dtype)

    def parameters(self):
        """Views; those of wide products come from one copy in their type."""
        copies, lead = self.arithmetic.keep(self.values), self.values.shape[:-1]
        views, first = [], 0
        for i, shape in enumerate(self.shapes):
            source = copies if i in self.wide else self.values
            views.append(source[..., first : first + shape.numel()].reshape(lead + shape))
            first += shape.numel()
        return views

    def update(self, grads):
        """Clip to a global norm, for every model by itself, and Adam."""
        lead = self.values.shape[:-1]
        g = torch.cat([g.reshape(lead + (-1,)) for g in grads], -1)
        norm = g.square().sum(-1, keepdim=True).sqrt()
        g = g * (MAX_NORM / (norm + 1e-6)).clamp(max=1.0)
        self.step.add_(1)
        correction = (1 - BETA2**self.step).sqrt()
        rate = LEARNING_RATE * correction / (1 - BETA1**self.step)
        self.m.lerp_(g, 1 - BETA1)
        self.v.lerp_(g * g, 1 - BETA2)
        self.values.sub_(rate * self.m / (self.v.sqrt() + ADAM_EPS * correction))
