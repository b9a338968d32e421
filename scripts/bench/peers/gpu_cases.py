"""What is timed, for peers P1 to P3 (`eager`) and P4 (`manual`), see gpu_peers.py.

Each gives a unit: a function without arguments. Training units return the loss, the others rows or values. `machine` is that
of gpu_peers.py, `spec` the sizes; `graph`: the unit will be captured as a CUDA graph; `wrap` compiles a function.
"""
import torch
from torch import nn

import passes
from cdc_train import LEARNING_RATE, MAX_NORM, Autograd, Network, make_data, time_grid

EULER_TIME = 1.5  # t of the reference of a published reflection copula
DENSITY_ROWS = 65_536  # of a batch
HALF_SCALE = 2.0**12  # of the adjoints' seeds, 1 / batch without it


def cdc_network(spec, device):
    torch.manual_seed(spec.get("seed", 1))
    return Network(spec["dim"], spec["hidden"], spec["depth"], spec["levels"], "silu").to(device)


def cdc_data(spec, device):
    generator = torch.Generator().manual_seed(spec.get("seed", 1))
    return make_data(spec["rows"], spec["dim"], generator, torch.float32).to(device)


class CdcTrain:
    @staticmethod
    def eager(machine, spec, graph):
        adam = dict(capturable=True) if graph and machine.cuda else {}
        data = cdc_data(spec, machine.device)
        trainers = [
            Autograd(data, cdc_network(spec, machine.device), spec["levels"], spec["batch"], **adam)
            for _ in range(spec.get("models", 1))
        ]
        # an ensemble one model after the other
        return lambda: [trainer.step().detach() for trainer in trainers][-1]

    @staticmethod
    def manual(machine, spec, wrap):
        device, batch, levels, models = machine.device, spec["batch"], spec["levels"], spec.get("models", 0)
        lead = (models,) if models else ()
        arithmetic = passes.Arithmetic(spec["arithmetic"])
        training = passes.Training(cdc_network(spec, device).ordered(), arithmetic, models)
        data = cdc_data(spec, device)
        alpha, sigma = (v.to(device) for v in time_grid(levels, torch.float32))
        active = round(batch * (levels - 2) / levels)

        def step(rows, inner, outer, eps):
            t, x0 = torch.cat((inner, (levels - 1) * outer), -1), data[rows]
            x = alpha[t].unsqueeze(-1) * x0 + sigma[t].unsqueeze(-1) * eps
            loss, grads = passes.cdc_gradients(
                training.parameters(), x, t, eps, sigma[t], active, arithmetic, scale=HALF_SCALE
            )
            training.update(grads)
            return loss

        compute = wrap(step)

        def unit():
            rows = torch.randint(data.shape[0], lead + (batch,), device=device)
            inner = torch.randint(1, levels - 1, lead + (active,), device=device)
            outer = torch.randint(2, lead + (batch - active,), device=device)
            return compute(rows, inner, outer, torch.randn(lead + (batch, spec["dim"]), device=device))

        return unit


def published_reflection(dim, hidden, layers):
    """Linear, linear, silu, linear, silu, ..., linear of (u, t)."""
    modules = [nn.Linear(dim + 1, hidden)]
    for _ in range(layers - 1):
        modules += [nn.Linear(hidden, hidden), nn.SiLU()]
    return nn.Sequential(*modules, nn.Linear(hidden, dim))


def reflection_network(spec, device):
    torch.manual_seed(spec.get("seed", 1))
    return published_reflection(spec["dim"], spec["hidden"], spec["depth"]).to(device)


def reflection_draws(data, batch):
    """Numbers of rows, their velocities, and uniform numbers for their times."""
    rows = torch.randint(data.shape[0], (batch,), device=data.device)
    return rows, torch.randn(batch, data.shape[1], device=data.device), torch.rand(batch, 1, device=data.device)


def reflected(u0, v, uniform):
    """Rows on their way through the cube: (u_t, t) and the velocity there; t = T U^4."""
    t = EULER_TIME * uniform.pow(4)
    u, sign = passes.fold(u0 + t * v)
    return torch.cat((u, t), -1), sign * v


class ReflectionTrain:
    @staticmethod
    def eager(machine, spec, graph):
        network = reflection_network(spec, machine.device)
        data = torch.special.ndtr(cdc_data(spec, machine.device))
        parameters = list(network.parameters())
        options = dict(capturable=True) if graph and machine.cuda else {}
        adam = torch.optim.Adam(parameters, lr=LEARNING_RATE, **options)

        def unit():
            rows, v, uniform = reflection_draws(data, spec["batch"])
            x, target = reflected(data[rows], v, uniform)
            adam.zero_grad(set_to_none=True)
            loss = nn.functional.mse_loss(network(x), target)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, MAX_NORM)
            adam.step()
            return loss.detach()

        return unit

    @staticmethod
    def manual(machine, spec, wrap):
        arithmetic = passes.Arithmetic(spec["arithmetic"])
        training = passes.Training(list(reflection_network(spec, machine.device).parameters()), arithmetic)
        data = torch.special.ndtr(cdc_data(spec, machine.device))

        def step(rows, v, uniform):
            x, target = reflected(data[rows], v, uniform)
            loss, grads = passes.mlp_gradients(training.parameters(), x, target, arithmetic, scale=HALF_SCALE)
            training.update(grads)
            return loss

        compute = wrap(step)
        return lambda: compute(*reflection_draws(data, spec["batch"]))


def euler_times(steps):
    return [EULER_TIME * (steps - k) / steps for k in range(steps + 1)]


class ReflectionSample:
    @staticmethod
    def trajectory(step, machine, spec):
        times, rows, dim = euler_times(spec["steps"]), spec["samples"], spec["dim"]
        stamps = [torch.full((rows, 1), t, device=machine.device) for t in times]

        def unit():
            u = torch.rand(rows, dim, device=machine.device)
            for k in range(spec["steps"]):
                u = step(u, stamps[k], stamps[k + 1])
            return u

        return unit

    @staticmethod
    def eager(machine, spec, graph):
        network = reflection_network(spec, machine.device)

        def step(u, t, s):
            with torch.no_grad():
                return passes.fold(u + (s - t) * network(torch.cat((u, t), -1)))[0]

        return ReflectionSample.trajectory(step, machine, spec)

    @staticmethod
    def manual(machine, spec, wrap):
        parameters = [p.detach() for p in reflection_network(spec, machine.device).parameters()]
        arithmetic = passes.Arithmetic(spec["arithmetic"])

        def step(parameters, u, t, s):
            return passes.fold(u + (s - t) * passes.mlp(parameters, torch.cat((u, t), -1), arithmetic)[0])[0]

        compute = wrap(step)
        return ReflectionSample.trajectory(lambda *rows: compute(parameters, *rows), machine, spec)


class CdcSample:
    @staticmethod
    def trajectory(field, machine, spec):
        """Two-step Adams-Bashforth in w, dz/dw = G / (2 w), on the noise levels; G is zero at the last one."""
        levels = spec["levels"]
        w = [1 - k / (levels - 1) for k in range(levels)]

        def unit():
            z = torch.randn(spec["samples"], spec["dim"], device=machine.device)
            before = None
            for k in range(levels - 2, 0, -1):
                slope = field(z, k) / (2 * w[k])
                z = z + (w[k - 1] - w[k]) * (slope if before is None else 1.5 * slope - 0.5 * before)
                before = slope
            return torch.special.ndtr(z)

        return unit

    @staticmethod
    def eager(machine, spec, graph):
        network = cdc_network(spec, machine.device)

        def field(z, level):
            z = z.detach().requires_grad_()
            logits = network(z)
            return torch.autograd.grad((logits[:, level] - logits[:, -1]).sum(), z)[0]

        return CdcSample.trajectory(field, machine, spec)

    @staticmethod
    def manual(machine, spec, wrap):
        parameters = [p.detach() for p in cdc_network(spec, machine.device).ordered()]
        arithmetic = passes.Arithmetic(spec["arithmetic"])
        levels = spec["levels"]
        seeds = [passes.level_difference(level, levels, parameters[0]) for level in range(levels)]
        compute = wrap(lambda parameters, z, e: passes.cdc_field(parameters, z, e, arithmetic))
        return CdcSample.trajectory(lambda z, level: compute(parameters, z, seeds[level]), machine, spec)


class Density:
    """Log densities in host memory of rows in host memory; a unit is all rows, captured forms replay one batch."""

    @staticmethod
    def over_batches(machine, spec, batch_of, capture):
        rows = spec["samples"]
        size = min(DENSITY_ROWS, rows)
        u = Density.rows(spec)
        buffer = u[:size].to(machine.device)
        compute = machine.captured(lambda: batch_of(buffer)) if capture else lambda: batch_of(buffer)
        out = torch.empty(rows)

        def unit():
            for first in range(0, rows, size):
                count = min(size, rows - first)
                buffer[:count].copy_(u[first : first + count])
                out[first : first + count].copy_(compute()[:count])
            return out

        return unit

    @staticmethod
    def rows(spec):
        generator = torch.Generator().manual_seed(1)
        return torch.rand(spec["samples"], spec["dim"], generator=generator).clamp(1e-6, 1 - 1e-6)

    @staticmethod
    def error(spec, values):
        """Relative error of the first values against float64."""
        parameters = [p.detach().double() for p in cdc_network(spec, torch.device("cpu")).ordered()]
        inverse, log_determinant = Density.guide(spec, torch.device("cpu"))
        u = Density.rows(spec)[:1000].double()
        ratio = lambda y: passes.cdc_log_ratio(parameters, y)
        wanted = Density.log_density(u, ratio, inverse.double(), log_determinant)
        return float((values[:1000].double() - wanted).norm() / wanted.norm())

    @staticmethod
    def guide(spec, device):
        """The inverse of the guide's Cholesky factor and the log determinant, as in a guided model."""
        dim = spec["dim"]
        correlation = 0.5 * torch.eye(dim, dtype=torch.float64) + 0.5
        factor = torch.linalg.cholesky(correlation)
        inverse = torch.linalg.inv(factor).to(torch.float32).to(device)
        return inverse, float(factor.diagonal().log().sum())

    @staticmethod
    def log_density(u, ratio, inverse, log_determinant):
        z = torch.special.ndtri(u)
        y = z @ inverse.T
        return ratio(y) + 0.5 * (z.square() - y.square()).sum(-1) - log_determinant

    @staticmethod
    def eager(machine, spec, graph):
        network, guide = cdc_network(spec, machine.device), Density.guide(spec, machine.device)

        def ratio(y):
            logits = network(y)
            return logits[:, 0] - logits[:, -1]

        def batch_of(u):
            with torch.no_grad():
                return Density.log_density(u, ratio, *guide)

        return Density.over_batches(machine, spec, batch_of, graph)

    @staticmethod
    def manual(machine, spec, wrap):
        parameters = [p.detach() for p in cdc_network(spec, machine.device).ordered()]
        guide = Density.guide(spec, machine.device)
        arithmetic = passes.Arithmetic(spec["arithmetic"])

        def whole(parameters, u):
            return Density.log_density(u, lambda y: passes.cdc_log_ratio(parameters, y, arithmetic), *guide)

        compute = wrap(whole)
        return Density.over_batches(machine, spec, lambda u: compute(parameters, u), True)


CASES = {
    "cdc-train": CdcTrain,
    "ensemble": CdcTrain,
    "reflection-train": ReflectionTrain,
    "reflection-sample": ReflectionSample,
    "cdc-sample": CdcSample,
    "density": Density,
}
