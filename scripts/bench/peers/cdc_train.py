#!/usr/bin/env python3
"""PyTorch peer of the benchmark of one training step of the Classification-Diffusion Copula on CPU.

Written from the mathematics (arXiv 2509.19707; sections A.1-A.6 and the second-order algorithm
of this project's notes). Needs nothing but PyTorch (1.13 or newer).

Network: h = W0 x + b0;  L blocks  a = W1 h + b1, p = f(a), z = h + W2 p + b2, h = silu(z);
logits = Wh h + bh, one per noise level. f = relu ("published") or silu ("silu").

One step: rows drawn from a resident whitened data set, noise level t uniform,
x = alpha_t x0 + sigma_t eps;  S = logit_t - logit_{K-1};  g = dS/dx;  eps_hat = sigma_t (x - g);
loss = 0.2 CE(logits, t) + mean (eps_hat - eps)^2;  clip of the global gradient norm to 1;  Adam.
Levels are uniform in w = alpha^2 from 1 to 0: the last one is pure noise.

  --algorithm autograd   nn.Module, autograd.grad(create_graph=True), backward, clip, Adam: the
                         step as a PyTorch user writes it.
  --algorithm four-pass  the same step without a tape, the fastest form we found in torch ops:
                         forward, adjoint of S, tangent along r = dloss/dg, second adjoint merged
                         with the backward of the cross-entropy; the gradient of every matrix is
                         one product of stacked operands; the input projection is folded into the
                         first block; rows whose second-order part is exactly zero (levels 0 and
                         K-1) leave passes 2 and 3; all buffers are allocated once; clip and Adam
                         run on one flat vector.

  cdc_train.py --dim 10 --hidden 256 --depth 3 --levels 10 --batch 1024 --activation silu \\
               --algorithm four-pass --threads 2 --steps 200 --warmup 20 --seed 1
  cdc_train.py --check                     # four-pass against autograd in float64
  cdc_train.py ... --interactive           # paired timing; see interactive()
"""
import argparse
import ctypes
import json
import math
import os
import statistics
import sys
import time

CE_WEIGHT = 0.2
LEARNING_RATE = 1e-3
BETA1, BETA2, ADAM_EPS = 0.9, 0.999, 1e-8
MAX_NORM = 1.0


def keep_freed_memory():
    """Stop glibc from returning the step's temporaries to the system after every operation.

    The usual advice for PyTorch on CPU is to preload another allocator; this has the same effect.
    """
    try:
        libc = ctypes.CDLL(None)
        libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
        libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD
    except (OSError, AttributeError):
        pass


def threads_argument():
    peek = argparse.ArgumentParser(add_help=False)
    peek.add_argument("--threads", type=int, default=2)
    return peek.parse_known_args()[0].threads


os.environ["BLIS_NUM_THREADS"] = str(threads_argument())  # BLIS reads it when it is loaded

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402


# ---------------------------------------------------------------- environment


class SymbolInfo(ctypes.Structure):
    _fields_ = [
        ("file", ctypes.c_char_p),
        ("base", ctypes.c_void_p),
        ("name", ctypes.c_char_p),
        ("at", ctypes.c_void_p),
    ]


def sgemm_provider():
    """The shared library whose sgemm_ torch calls; None where it is linked statically."""
    try:
        with open("/proc/self/maps") as maps:
            paths = [line.split(" ", 5)[-1].strip() for line in maps]
        torch_path = next(path for path in paths if os.path.basename(path).startswith("libtorch_cpu."))
        address = ctypes.cast(ctypes.CDLL(torch_path).sgemm_, ctypes.c_void_p)
        info = SymbolInfo()
        if ctypes.CDLL(None).dladdr(address, ctypes.byref(info)):
            return os.path.realpath(os.fsdecode(info.file))
    except (OSError, StopIteration, AttributeError):
        pass
    return None


def prefer_openmp_blas(choice):
    """Start again with an OpenMP build of the BLAS where the system's choice is another one.

    Debian keeps the builds in directories side by side (openblas-pthread, openblas-openmp,
    blis-openmp, ...) and prefers the pthread build of OpenBLAS. A pool of its own fights torch's
    OpenMP threads for the cores, both spinning while they wait: measured 2 to 4 times slower per
    step on two otherwise idle cores, and far worse on busy ones.
    """
    path = sgemm_provider()
    if choice == "system" or path is None or os.environ.get("CDC_TRAIN_BLAS") == "chosen":
        return
    flavour, beside = os.path.basename(os.path.dirname(path)), os.path.dirname(os.path.dirname(path))
    if flavour == choice or (choice == "auto" and flavour.endswith("-openmp")):
        return
    for name in ("openblas-openmp", "blis-openmp") if choice == "auto" else (choice,):
        directory = os.path.join(beside, name)
        if os.path.exists(os.path.join(directory, os.path.basename(path))):
            inherited = os.environ.get("LD_LIBRARY_PATH")
            os.environ["LD_LIBRARY_PATH"] = directory + (os.pathsep + inherited if inherited else "")
            os.environ["CDC_TRAIN_BLAS"] = "chosen"
            os.execv(sys.executable, [sys.executable, os.path.abspath(__file__)] + sys.argv[1:])
    if choice != "auto":
        sys.exit("no BLAS called %s beside %s" % (choice, flavour))


def configure_blas(threads):
    """Give the BLAS the number of threads of torch and describe it.

    torch.set_num_threads reaches neither OpenBLAS built with pthreads nor BLIS.
    """
    path = sgemm_provider()
    if path is None:
        return ("mkl" if torch.backends.mkl.is_available() else "linked statically"), None
    flavour = os.path.basename(os.path.dirname(path))
    label, warning = flavour + "/" + os.path.basename(path), None
    lib = ctypes.CDLL(path)
    if "openblas" in path:
        try:
            lib.openblas_set_num_threads(int(threads))
            lib.openblas_get_corename.restype = ctypes.c_char_p
            parallel = {0: "serial", 1: "pthread", 2: "openmp"}.get(lib.openblas_get_parallel(), "unknown")
            core, count = lib.openblas_get_corename().decode(), lib.openblas_get_num_threads()
            label += " OpenBLAS core=%s threads=%d %s" % (core, count, parallel)
            if parallel == "pthread" and threads > 1:
                warning = "OpenBLAS has its own thread pool: use an OpenMP build (libopenblas0-openmp, libblis4-openmp)"
        except AttributeError:
            pass
    elif "blis" in path:
        label += " BLIS threads=" + os.environ.get("BLIS_NUM_THREADS", "1")
    else:
        refuse(
            "PyTorch's matrix products go to %s, which is not OpenBLAS, BLIS or MKL: the reference BLAS is some thirty "
            "times slower, and nothing could be learned from a comparison (Debian: apt-get install libopenblas0-pthread)"
            % label
        )
    return label, warning


def refuse(message):
    print(json.dumps({"error": message}), flush=True)
    sys.exit(1)


# ---------------------------------------------------------------- the problem


def time_grid(levels, dtype):
    """alpha and sigma of the levels: w = alpha^2 uniform from 1 to 0."""
    w = 1 - torch.arange(levels, dtype=torch.float64) / (levels - 1)
    return w.sqrt().to(dtype), (1 - w).sqrt().to(dtype)


def make_data(rows, dim, generator, dtype):
    """Normal scores of a heavy-tailed dependent sample, whitened by their correlation."""
    z = torch.randn(rows, dim, generator=generator, dtype=torch.float64)
    for j in range(1, dim):
        z[:, j] = 0.7 * z[:, j - 1] + math.sqrt(1 - 0.49) * z[:, j]
    z = z / torch.randn(rows, 4, generator=generator, dtype=torch.float64).pow(2).mean(1, keepdim=True).sqrt()
    rank = z.argsort(0).argsort(0).to(torch.float64)
    z = math.sqrt(2) * torch.erfinv(2 * (rank + 1) / (rows + 1) - 1)
    corr = z.T @ z / rows
    scale = corr.diagonal().rsqrt()
    corr = scale[:, None] * corr * scale[None, :]
    factor = torch.linalg.cholesky(corr)
    return torch.linalg.solve(factor, z.T).T.contiguous().to(dtype)


class Network(nn.Module):
    def __init__(self, dim, hidden, depth, levels, activation):
        super().__init__()
        self.input = nn.Linear(dim, hidden)
        self.first = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth))
        self.second = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(depth))
        self.head = nn.Linear(hidden, levels)
        self.inner = functional.relu if activation == "published" else functional.silu

    def forward(self, x):
        h = self.input(x)
        for first, second in zip(self.first, self.second):
            h = functional.silu(h + second(self.inner(first(h))))
        return self.head(h)

    def ordered(self):
        """Parameters in the order W0 b0 | W1 b1 W2 b2 per block | Wh bh."""
        layers = [self.input]
        for pair in zip(self.first, self.second):
            layers += pair
        layers.append(self.head)
        return [p for layer in layers for p in (layer.weight, layer.bias)]


# ---------------------------------------------------------------- peer 1: autograd


class Autograd:
    def __init__(self, data, network, levels, batch, **adam):
        self.data, self.network, self.levels, self.batch = data, network, levels, batch
        self.alpha, self.sigma = (v.to(data.device) for v in time_grid(levels, data.dtype))
        self.parameters = list(network.parameters())
        self.adam = torch.optim.Adam(
            self.parameters, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=ADAM_EPS, **adam
        )

    def loss(self, x0, t, eps):
        alpha, sigma = self.alpha[t].unsqueeze(1), self.sigma[t].unsqueeze(1)
        x = (alpha * x0 + sigma * eps).requires_grad_()
        logits = self.network(x)
        difference = logits.gather(1, t.unsqueeze(1)).sum() - logits[:, -1].sum()
        (g,) = torch.autograd.grad(difference, x, create_graph=True)
        eps_hat = sigma * (x.detach() - g)
        return CE_WEIGHT * functional.cross_entropy(logits, t) + functional.mse_loss(eps_hat, eps)

    def update(self, x0, t, eps):
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(x0, t, eps)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, MAX_NORM)
        self.adam.step()
        return loss

    def step(self):
        device = self.data.device
        rows = torch.randint(self.data.shape[0], (self.batch,), device=device)
        t = torch.randint(self.levels, (self.batch,), device=device)
        x0 = self.data[rows]
        return self.update(x0, t, torch.randn_like(x0))

    def run(self, steps):
        loss = None
        for _ in range(steps):
            loss = self.step()
        return float(loss.detach())


# ---------------------------------------------------------------- peer 2: four passes, no tape


def silu_derivatives(u, s, f, f1, f2):
    """f = silu(u), f1 = silu'(u), f2 = silu''(u); s is scratch.

    With s = sigmoid(u) and f = u s:  f' = s + f - s f  and  f'' = s + f' - 2 s f'.
    """
    torch.sigmoid(u, out=s)
    torch.mul(u, s, out=f)
    torch.add(s, f, out=f1)
    f1.addcmul_(s, f, value=-1)
    torch.add(s, f1, out=f2)
    f2.addcmul_(s, f1, value=-2)


class FourPass:
    """The training step under inference_mode, in preallocated buffers.

    Lower-case names of pass 2 and 3 (mu, nu, dh, dp) are kept under the upper-case ones of pass 4
    and 1 (M, N, h, p) in one buffer, so that dW2 = M'p + mu'dp is one product of 'tall' operands.
    Rows are sorted by level, so that the rows that take part in passes 2 and 3 are one slice.
    """

    def __init__(self, data, network, levels, batch, chunk=0):
        self.data, self.levels, self.batch = data, levels, batch
        dtype = data.dtype
        self.alpha, self.sigma = time_grid(levels, dtype)
        source = network.ordered()
        self.depth = depth = (len(source) - 4) // 4
        self.dim = dim = source[0].shape[1]
        self.hidden = hidden = source[0].shape[0]
        self.smooth = network.inner is functional.silu
        self.chunk = chunk = min(chunk or batch, batch)

        sizes = [p.numel() for p in source]
        self.flat = torch.cat([p.detach().reshape(-1) for p in source]).to(dtype)
        self.flat_grad = torch.zeros_like(self.flat)
        self.moment1 = torch.zeros_like(self.flat)
        self.moment2 = torch.zeros_like(self.flat)
        self.scratch = torch.zeros_like(self.flat)
        self.parts = list(
            zip(*(v.split(1 << 17) for v in (self.flat, self.flat_grad, self.moment1, self.moment2, self.scratch)))
        )
        self.steps_done = 0

        def views(flat):
            return [v.view(p.shape) for v, p in zip(flat.split(sizes), source)]

        self.parameters, self.gradients = views(self.flat), views(self.flat_grad)

        def new(*shape):
            return torch.zeros(*shape, dtype=dtype)

        def per_block(rows):
            return [new(rows, hidden) for _ in range(depth)]

        # batch
        self.x0, self.eps, self.x = new(batch, dim), new(batch, dim), new(batch, dim)
        self.rows = torch.zeros(batch, dtype=torch.int64)
        self.draw = torch.zeros(batch, dtype=torch.int64)
        # per block; 'tall' buffers hold primal rows above tangent or adjoint rows
        self.tall_h = [new(2 * chunk, hidden) for _ in range(depth + 1)]
        self.tall_p, self.tall_m, self.tall_n = per_block(2 * chunk), per_block(2 * chunk), per_block(2 * chunk)
        self.tall_x, self.tall_c = new(2 * chunk, dim), new(2 * chunk, levels)
        self.f1, self.f2, self.lam = per_block(chunk), per_block(chunk), per_block(chunk)
        if self.smooth:
            self.a1, self.a2, self.u = per_block(chunk), per_block(chunk), per_block(chunk)
        # shared
        self.pre, self.sig, self.tmp = new(chunk, hidden), new(chunk, hidden), new(chunk, hidden)
        self.wf, self.bf = new(hidden, dim), new(hidden)
        self.nx, self.n_sum = new(hidden, dim), new(hidden)
        self.g = new(chunk, dim)
        self.one_hot = torch.eye(levels, dtype=dtype)
        self.one_hot_minus_last = self.one_hot - self.one_hot[-1]

    # a method of its own so that the self-check can leave it out
    @staticmethod
    def curvature(adjoint, tangent, second):
        """adjoint <- f'' * tangent * adjoint"""
        adjoint.mul_(tangent).mul_(second)

    def gradient(self, x, t, eps, want_loss):
        """Gradient of the loss for noised rows x with sorted levels t; optionally the loss."""
        batch, chunk = x.shape[0], self.chunk
        counts = torch.bincount(t, minlength=self.levels).tolist()
        first_active, last_active = counts[0], batch - counts[-1]
        weight0, bias0 = self.parameters[0], self.parameters[1]
        w1, b1 = self.parameters[2], self.parameters[3]
        torch.mm(w1, weight0, out=self.wf)
        torch.addmv(b1, w1, bias0, out=self.bf)
        self.head_difference = self.parameters[-2] - self.parameters[-2][-1]
        loss = 0.0
        for start in range(0, batch, chunk):
            stop = min(start + chunk, batch)
            low = min(max(first_active - start, 0), stop - start)
            high = max(min(last_active - start, stop - start), low)
            part = self.rows_gradient(x[start:stop], t[start:stop], eps[start:stop], low, high, start == 0, want_loss)
            if want_loss:
                loss += part
        # through the fold
        grad = self.gradients
        torch.outer(self.n_sum, bias0, out=grad[2])
        grad[2].addmm_(self.nx, weight0.t())
        grad[3].copy_(self.n_sum)
        grad[0].addmm_(w1.t(), self.nx)
        grad[1].addmv_(w1.t(), self.n_sum)
        return loss

    def rows_gradient(self, x, t, eps, low, high, fresh, want_loss):
        params, grad, depth = self.parameters, self.gradients, self.depth
        n, active = x.shape[0], high - low
        tall = n + active
        keep = 0 if fresh else 1  # beta of the accumulating products
        smooth, f1, f2, lam = self.smooth, self.f1, self.f2, self.lam
        threshold = torch.ops.aten.threshold_backward.grad_input
        pre, sig, tmp = self.pre[:n], self.sig[:n], self.tmp[:n]
        t_act = t[low:high]
        w0, wh = params[0], params[-2]

        # ---- 1 forward
        h = torch.addmm(params[1], x, w0.t(), out=self.tall_h[0][:n])
        for k in range(depth):
            w1, bias1, w2, bias2 = params[2 + 4 * k : 6 + 4 * k]
            if k == 0:
                torch.addmm(self.bf, x, self.wf.t(), out=pre)
            else:
                torch.addmm(bias1, h, w1.t(), out=pre)
            p = self.tall_p[k][:n]
            if smooth:
                silu_derivatives(pre, sig, p, self.a1[k][:n], self.a2[k][:n])
            else:
                torch.clamp_min(pre, 0, out=p)
            torch.add(h, bias2, out=pre)
            pre.addmm_(p, w2.t())
            h = self.tall_h[k + 1][:n]
            silu_derivatives(pre, sig, h, f1[k][:n], f2[k][:n])
        logits = torch.addmm(params[-1], h, wh.t())

        # ---- 2 adjoint of S; one row of head differences per sample starts it
        mu = nu = None
        for k in reversed(range(depth)):
            w2 = params[4 + 4 * k]
            adjoint = lam[k][low:high]
            if k == depth - 1:
                torch.index_select(self.head_difference, 0, t_act, out=adjoint)
            else:
                torch.addmm(mu, nu, params[6 + 4 * k], out=adjoint)
            mu = torch.mul(adjoint, f1[k][low:high], out=self.tall_m[k][n:tall])
            nu = self.tall_n[k][n:tall]
            if smooth:
                u = torch.mm(mu, w2, out=self.u[k][low:high])
                torch.mul(u, self.a1[k][low:high], out=nu)
            else:
                u = torch.mm(mu, w2, out=tmp[:active])
                threshold(u, self.tall_p[k][low:high], 0, grad_input=nu)
        g = torch.mm(mu, w0, out=self.g[:active])
        g.addmm_(nu, self.wf)

        # ---- loss, r = dL/dg, c = dL/dlogits
        scale = self.batch * self.dim
        sigma = self.sigma[t_act].unsqueeze(1)
        residual = (x[low:high] - g).mul_(sigma).sub_(eps[low:high])
        r = torch.mul(residual, sigma, out=self.tall_x[n:tall]).mul_(-2.0 / scale)
        self.tall_x[:n].copy_(x)
        loss = 0.0
        if want_loss:
            # level 0: eps_hat = 0; last level: eps_hat = eps, no contribution
            square = residual.pow(2).sum() + eps[:low].pow(2).sum()
            cross = functional.cross_entropy(logits, t, reduction="sum")
            loss = float(square) / scale + CE_WEIGHT * float(cross) / self.batch
        c = torch.sub(torch.softmax(logits, 1), self.one_hot[t], out=self.tall_c[:n]).mul_(CE_WEIGHT / self.batch)
        torch.index_select(self.one_hot_minus_last, 0, t_act, out=self.tall_c[n:tall])

        # ---- 3 tangent along r; lam and u become the sources f'' of pass 4
        dh = torch.mm(r, w0.t(), out=self.tall_h[0][n:tall])
        for k in range(depth):
            w1, w2 = params[2 + 4 * k], params[4 + 4 * k]
            da = torch.mm(dh, w1.t(), out=tmp[:active]) if k else torch.mm(r, self.wf.t(), out=tmp[:active])
            dp = self.tall_p[k][n:tall]
            if smooth:
                torch.mul(da, self.a1[k][low:high], out=dp)
                self.curvature(self.u[k][low:high], da, self.a2[k][low:high])
            else:
                threshold(da, self.tall_p[k][low:high], 0, grad_input=dp)
            dz = torch.addmm(dh, dp, w2.t(), out=tmp[:active])
            dh = torch.mul(dz, f1[k][low:high], out=self.tall_h[k + 1][n:tall])
            self.curvature(lam[k][low:high], dz, f2[k][low:high])

        # ---- 4 second adjoint merged with the backward of the cross-entropy; weight gradients
        grad[-2].addmm_(self.tall_c[:tall].t(), self.tall_h[depth][:tall], beta=keep)
        self.column_sums(c, grad[-1], keep)
        adjoint = torch.mm(c, wh, out=pre)
        for k in reversed(range(depth)):
            w1, w2 = params[2 + 4 * k], params[4 + 4 * k]
            for source in (lam[k], self.u[k]) if smooth else (lam[k],):
                if low:
                    source[:low].zero_()
                if high < n:
                    source[high:n].zero_()
            m = torch.addcmul(lam[k][:n], adjoint, f1[k][:n], out=self.tall_m[k][:n])
            v = torch.mm(m, w2, out=tmp)
            out = self.tall_n[k][:n]
            if smooth:
                torch.addcmul(self.u[k][:n], v, self.a1[k][:n], out=out)
            else:
                threshold(v, self.tall_p[k][:n], 0, grad_input=out)
            grad[4 + 4 * k].addmm_(self.tall_m[k][:tall].t(), self.tall_p[k][:tall], beta=keep)
            self.column_sums(m, grad[5 + 4 * k], keep)
            if k:
                grad[2 + 4 * k].addmm_(self.tall_n[k][:tall].t(), self.tall_h[k][:tall], beta=keep)
                self.column_sums(out, grad[3 + 4 * k], keep)
                torch.addmm(m, out, w1, out=pre)
            else:
                self.nx.addmm_(self.tall_n[0][:tall].t(), self.tall_x[:tall], beta=keep)
                self.column_sums(out, self.n_sum, keep)
                grad[0].addmm_(self.tall_m[0][:tall].t(), self.tall_x[:tall], beta=keep)
                self.column_sums(m, grad[1], keep)
        return loss

    @staticmethod
    def column_sums(rows, out, keep):
        if keep:
            out.add_(rows.sum(0))
        else:
            torch.sum(rows, 0, out=out)

    def apply(self):
        """Clip and Adam, block by block so that a block stays in cache."""
        self.steps_done += 1
        factor = MAX_NORM / (torch.linalg.vector_norm(self.flat_grad) + 1e-6)
        self.flat_grad.mul_(factor.clamp_(max=1.0))
        correction = math.sqrt(1 - BETA2**self.steps_done)
        rate = -LEARNING_RATE * correction / (1 - BETA1**self.steps_done)
        for p, g, m, v, s in self.parts:
            m.lerp_(g, 1 - BETA1)
            v.mul_(BETA2).addcmul_(g, g, value=1 - BETA2)
            torch.sqrt(v, out=s)
            p.addcdiv_(m, s.add_(ADAM_EPS * correction), value=rate)

    def update(self, x0, t, eps, want_loss):
        torch.mul(x0, self.alpha[t].unsqueeze(1), out=self.x)
        self.x.addcmul_(eps, self.sigma[t].unsqueeze(1))
        loss = self.gradient(self.x, t, eps, want_loss)
        self.apply()
        return loss

    def run(self, steps):
        loss = None
        with torch.inference_mode():
            for step in range(steps):
                torch.randint(self.data.shape[0], (self.batch,), out=self.rows)
                t = torch.randint(self.levels, (self.batch,), out=self.draw).sort()[0]
                torch.index_select(self.data, 0, self.rows, out=self.x0)
                loss = self.update(self.x0, t, self.eps.normal_(), step == steps - 1)
        return loss


# ---------------------------------------------------------------- check, timing


class NoCurvature(FourPass):
    """A wrong algorithm: the check below must notice it."""

    @staticmethod
    def curvature(adjoint, tangent, second):
        adjoint.zero_()


def relative(a, b):
    return float((a - b).norm() / b.norm().clamp_min(1e-300))


def check():
    """Four-pass gradients, losses and updated parameters against autograd in float64."""
    tolerance, worst, weakest = 1e-10, 0.0, math.inf
    cases = [
        # dim hidden depth levels batch chunk
        (10, 32, 2, 10, 96, 0),
        (2, 16, 1, 5, 33, 0),
        (5, 48, 3, 3, 64, 20),
        (10, 64, 6, 10, 128, 50),
        (4, 24, 2, 2, 40, 0),
        (3, 20, 2, 10, 7, 3),
    ]
    for activation in ("published", "silu"):
        for number, (dim, hidden, depth, levels, batch, chunk) in enumerate(cases):
            torch.manual_seed(100 + number)
            data = make_data(500, dim, torch.Generator().manual_seed(number), torch.float64)
            network = Network(dim, hidden, depth, levels, activation).double()
            with torch.no_grad():
                for p in network.parameters():
                    p.mul_(1.5)
            manual = FourPass(data, network, levels, batch, chunk)
            wrong = NoCurvature(data, network, levels, batch, chunk)
            tape = Autograd(data, network, levels, batch, foreach=False)
            case_worst, mutant = 0.0, 0.0
            for step in range(3):
                x0 = data[torch.randint(500, (batch,))]
                t = torch.randint(levels, (batch,)).sort()[0]
                eps = torch.randn_like(x0)
                x = tape.alpha[t].unsqueeze(1) * x0 + tape.sigma[t].unsqueeze(1) * eps
                network.zero_grad(set_to_none=True)
                loss_tape = tape.loss(x0, t, eps)
                loss_tape.backward()
                expected = [p.grad.clone() for p in network.ordered()]
                with torch.inference_mode():
                    loss_manual = manual.gradient(x, t, eps, True)
                    wrong.flat.copy_(manual.flat)
                    wrong.gradient(x, t, eps, False)
                errors = [relative(a, b) for a, b in zip(manual.gradients, expected)]
                errors.append(abs(loss_manual - float(loss_tape)) / abs(float(loss_tape)))
                mutant = max([mutant] + [relative(a, b) for a, b in zip(wrong.gradients, expected)])
                tape.update(x0, t, eps)
                with torch.inference_mode():
                    manual.update(x0, t, eps, False)
                errors += [relative(a, b) for a, b in zip(manual.parameters, network.ordered())]
                case_worst = max([case_worst] + errors)
            print(
                "%-9s dim %2d hidden %2d depth %d levels %2d batch %3d chunk %2d: %.2e (without curvature %.2e)"
                % (activation, dim, hidden, depth, levels, batch, chunk, case_worst, mutant)
            )
            worst = max(worst, case_worst)
            if levels > 2:  # with two levels no row has a second-order part
                weakest = min(weakest, mutant)
    passed = worst <= tolerance and weakest > 1e-3
    verdict = "passed" if passed else "FAILED"
    print(json.dumps({"check": verdict, "worst": worst, "tolerance": tolerance, "mutant": weakest}))
    return 0 if passed else 1


def build(options):
    torch.manual_seed(options.seed)
    data = make_data(options.rows, options.dim, torch.Generator().manual_seed(options.seed), torch.float32)
    network = Network(options.dim, options.hidden, options.depth, options.levels, options.activation)
    if options.algorithm == "autograd":
        return Autograd(data, network, options.levels, options.batch, foreach=options.foreach)
    return FourPass(data, network, options.levels, options.batch, options.chunk)


def timed(trainer, steps):
    begin = time.perf_counter()
    loss = trainer.run(steps)
    return time.perf_counter() - begin, loss


def interactive(trainer, about):
    """Prints {"ready": true, ...}; then answers each line 'run N' with one line of JSON."""
    print(json.dumps(dict(ready=True, **about)), flush=True)
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if not words:
            continue
        if words[0] == "quit":
            break
        if words[0] == "run" and len(words) == 2 and words[1].isdigit() and int(words[1]) > 0:
            steps = int(words[1])
            seconds, loss = timed(trainer, steps)
            print(json.dumps({"steps": steps, "seconds": seconds, "loss": loss}), flush=True)
        else:
            print(json.dumps({"error": "expected 'run N' or 'quit'"}), flush=True)


def batch_timing(trainer, about, options):
    per_chunk = max(1, options.steps // 20)
    times, done, loss = [], 0, None
    while done < options.steps:
        steps = min(per_chunk, options.steps - done)
        seconds, loss = timed(trainer, steps)
        times.append(1000 * seconds / steps)
        done += steps
    result = {
        "algorithm": options.algorithm,
        "activation": options.activation,
        "dim": options.dim,
        "hidden": options.hidden,
        "depth": options.depth,
        "levels": options.levels,
        "batch": options.batch,
        "steps": done,
        "ms_per_step_median": statistics.median(times) if times else None,
        "ms_per_step_min": min(times) if times else None,
        "loss": loss,
    }
    print(json.dumps(dict(result, **about)), flush=True)


def main():
    parser = argparse.ArgumentParser(description="PyTorch peer: one CDC training step on CPU")
    parser.add_argument("--dim", type=int, default=10)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--depth", type=int, default=3)
    parser.add_argument("--levels", type=int, default=10)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--activation", choices=("silu", "published"), default="silu")
    parser.add_argument("--algorithm", choices=("autograd", "four-pass"), default="autograd")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--warmup", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=20000, help="rows of the resident data set")
    parser.add_argument("--chunk", type=int, default=0, help="four-pass: rows per cache block (0: the whole batch)")
    parser.add_argument("--foreach", action="store_true", help="autograd: Adam(foreach=True)")
    parser.add_argument("--allocator", choices=("keep", "default"), default="keep")
    parser.add_argument("--denormals", action="store_true", help="do not flush denormal numbers to zero")
    parser.add_argument("--interactive", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument(
        "--blas", default="auto", help="auto: an OpenMP build where there is one; system; or a name such as blis-openmp"
    )
    options = parser.parse_args()

    prefer_openmp_blas(options.blas)
    if options.allocator == "keep":
        keep_freed_memory()
    if not options.denormals:
        torch.set_flush_denormal(True)  # before the worker threads start: they inherit it
    torch.set_num_threads(options.threads)
    blas, warning = configure_blas(options.threads)
    if options.check:
        return check()

    trainer = build(options)
    if options.warmup:
        trainer.run(options.warmup)
    about = {"torch": torch.__version__, "blas": blas, "threads": torch.get_num_threads()}
    if warning:
        about["warning"] = warning
    if options.interactive:
        interactive(trainer, about)
    else:
        batch_timing(trainer, about, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
