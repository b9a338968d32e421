#!/usr/bin/env python3
"""PyTorch peers of the GPU suite (scripts/gpu-suite.mjs), written from docs/mathematics.md.

P1  the model as its authors run it: eager float32, autograd (double backward for a CDC), Adam
P2  P1 with TF32 products
P3  one unit of P2 (a step, a trajectory, a batch) captured as a CUDA graph
P4  the strongest PyTorch that we could write: passes.py without a tape, 16-bit products (density: float32 or three TF32
    products), fused Adam, torch.compile where it works, a CUDA graph around the unit; the fastest of these forms

  gpu_peers.py [--device cuda|cpu] [--compile auto|on|off]     JSON lines on stdin and stdout, see serve()
  gpu_peers.py --check FIXTURES                                 P1 and P4 against each other and against the truth files
"""
import argparse
import json
import signal
import sys
import time
from contextlib import contextmanager

import torch
from torch import nn

import passes
from cdc_train import ADAM_EPS, BETA1, BETA2, LEARNING_RATE, MAX_NORM, Autograd, Network, make_data, time_grid

EULER_TIME = 1.5  # t of the reference of a published reflection copula
DENSITY_ROWS = 65_536  # of a batch
HALF_SCALE = 2.0**12  # of the adjoints' seeds, 1 / batch without it


@contextmanager
def at_most(seconds):
    """Raises TimeoutError in code that takes longer."""

    def ring(*_):
        raise TimeoutError("longer than %d s" % seconds)

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(int(seconds))
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Machine:
    def __init__(self, device, compile_mode):
        self.device = torch.device(device)
        self.cuda = self.device.type == "cuda"
        wanted = compile_mode == "on" or (compile_mode == "auto" and self.cuda)
        self.compiles = wanted and hasattr(torch, "compile")

    def about(self):
        versions = {"torch": torch.__version__, "cuda": torch.version.cuda, "compile": self.compiles}
        return dict(versions, device=torch.cuda.get_device_name(self.device) if self.cuda else "cpu")

    def synchronize(self):
        if self.cuda:
            torch.cuda.synchronize(self.device)

    def compiled(self, function):
        mode = "max-autotune-no-cudagraphs" if self.cuda else None
        return torch.compile(function, mode=mode, fullgraph=True, dynamic=False)

    def captured(self, unit):
        """A function that replays `unit` as a CUDA graph; on a CPU `unit` itself."""
        if not self.cuda:
            return unit
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                unit()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = unit()

        def replay():
            graph.replay()
            return result

        return replay

    def adam(self, parameters, graph):
        options = dict(fused=True, capturable=True) if self.cuda and graph else {}
        return torch.optim.Adam(parameters, lr=LEARNING_RATE, betas=(BETA1, BETA2), eps=ADAM_EPS, **options)


# ---------------------------------------------------------------- cases: eager(machine, spec, graph) and manual(...)
# Each returns a unit: a function without arguments. Training units return the loss, the others rows.


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
        parameters = [p.detach() for p in cdc_network(spec, device).ordered()]
        if models:
            parameters = [p.expand(models, *p.shape).contiguous() for p in parameters]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        data = cdc_data(spec, device)
        alpha, sigma = (v.to(device) for v in time_grid(levels, torch.float32))
        active = round(batch * (levels - 2) / levels)
        arithmetic = passes.Arithmetic(spec["arithmetic"])
        adam = machine.adam(parameters, True)

        def gradients(parameters, x0, t, eps):
            x = alpha[t].unsqueeze(-1) * x0 + sigma[t].unsqueeze(-1) * eps
            loss, grads = passes.cdc_gradients(parameters, x, t, eps, sigma[t], active, arithmetic, scale=HALF_SCALE)
            return loss, passes.clip(grads, MAX_NORM, bool(models))

        compute = wrap(gradients)

        def unit():
            rows = torch.randint(data.shape[0], lead + (batch,), device=device)
            inner = torch.randint(1, levels - 1, lead + (active,), device=device)
            outer = torch.randint(2, lead + (batch - active,), device=device) * (levels - 1)
            eps = torch.randn(lead + (batch, spec["dim"]), device=device)
            loss, grads = compute(parameters, data[rows], torch.cat((inner, outer), -1), eps)
            for p, g in zip(parameters, grads):
                p.grad.copy_(g)
            adam.step()
            return loss

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


def reflected_batch(data, batch):
    """Rows on their way through the cube: (u_t, t) and the velocity there; t = T U^4."""
    u0 = data[torch.randint(data.shape[0], (batch,), device=data.device)]
    v = torch.randn_like(u0)
    t = EULER_TIME * torch.rand(batch, 1, device=data.device).pow(4)
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
            x, target = reflected_batch(data, spec["batch"])
            adam.zero_grad(set_to_none=True)
            loss = nn.functional.mse_loss(network(x), target)
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, MAX_NORM)
            adam.step()
            return loss.detach()

        return unit

    @staticmethod
    def manual(machine, spec, wrap):
        parameters = [p.detach() for p in reflection_network(spec, machine.device).parameters()]
        for p in parameters:
            p.grad = torch.zeros_like(p)
        data = torch.special.ndtr(cdc_data(spec, machine.device))
        arithmetic = passes.Arithmetic(spec["arithmetic"])
        adam = machine.adam(parameters, True)

        def gradients(parameters, x, target):
            loss, grads = passes.mlp_gradients(parameters, x, target, arithmetic, scale=HALF_SCALE)
            return loss, passes.clip(grads, MAX_NORM, False)

        compute = wrap(gradients)

        def unit():
            loss, grads = compute(parameters, *reflected_batch(data, spec["batch"]))
            for p, g in zip(parameters, grads):
                p.grad.copy_(g)
            adam.step()
            return loss

        return unit


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
        rows, dim = spec["samples"], spec["dim"]
        size = min(DENSITY_ROWS, rows)
        u = torch.rand(rows, dim, generator=torch.Generator().manual_seed(1)).clamp(1e-6, 1 - 1e-6)
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


# ---------------------------------------------------------------- peers


class Peer:
    """A unit that is ready to be timed, with the global state that it runs under."""

    def __init__(self, machine, unit, precision, form, tape):
        self.machine, self.unit, self.precision, self.form, self.tape = machine, unit, precision, form, tape

    def run(self, count):
        torch.set_float32_matmul_precision(self.precision)
        result = None
        with torch.set_grad_enabled(self.tape):
            self.machine.synchronize()
            begin = time.perf_counter()
            for _ in range(count):
                result = self.unit()
                if result.dim() == 2:
                    result = result.cpu()
            self.machine.synchronize()
            return time.perf_counter() - begin, float(result.double().mean())


def eager_peer(machine, case, spec, name):
    precision = "highest" if name == "P1" else "high"
    torch.set_float32_matmul_precision(precision)
    graph = name == "P3"
    unit = case.eager(machine, spec, graph)
    if graph and case is not Density:
        unit = machine.captured(unit)
    return Peer(machine, unit, precision, "graph" if graph else "eager", True)


def strongest_peer(machine, case, spec, limit):
    """The fastest form of P4 that works, and why the others do not."""
    tried, best = {}, None
    for arithmetic in ("exact", "tf32x3") if case is Density else (spec.get("arithmetic", "fp16"),):
        for form in ("graph", "compile + graph") if machine.compiles else ("graph",):
            label = "%s, %s" % (form, arithmetic)
            precision = "highest" if arithmetic == "exact" else "high"
            torch.set_float32_matmul_precision(precision)
            wrap = machine.compiled if form.startswith("compile") else lambda function: function
            try:
                with torch.no_grad(), at_most(limit):
                    unit = case.manual(machine, dict(spec, arithmetic=arithmetic), wrap)
                    unit = unit if case is Density else machine.captured(unit)
                    peer = Peer(machine, unit, precision, label, False)
                    peer.run(2)
                    tried[label] = min(peer.run(2)[0] / 2 for _ in range(3))
            except Exception as error:  # a compiler may fail in any way; the other forms remain
                tried[label] = "%s: %s" % (type(error).__name__, str(error).splitlines()[0][:200] if str(error) else "")
                continue
            if best is None or tried[label] < tried[best.form]:
                best = peer
    if best is None:
        raise RuntimeError("no form of P4 works: %s" % json.dumps(tried))
    return best, tried


def serve(machine):
    """One answer for each line:
    {"op": "prepare", "peer": "P1".."P4", "spec": {"case": ..., ...}, "limit": seconds} -> {"form", "seconds", "tried"}
    {"op": "run", "peer": ..., "count": n} -> {"seconds", "value"};  {"op": "drop"};  errors -> {"error"}
    """
    peers = {}
    print(json.dumps(machine.about()), flush=True)
    for line in iter(sys.stdin.readline, ""):
        try:
            request = json.loads(line)
            if request["op"] == "prepare":
                begin, tried = time.perf_counter(), None
                spec = request["spec"]
                case = CASES[spec["case"]]
                if request["peer"] == "P4":
                    peer, tried = strongest_peer(machine, case, spec, request["limit"])
                else:
                    peer = eager_peer(machine, case, spec, request["peer"])
                peer.run(1)
                peers[request["peer"]] = peer
                answer = {"form": peer.form, "seconds": time.perf_counter() - begin, "tried": tried}
            elif request["op"] == "run":
                seconds, value = peers[request["peer"]].run(request["count"])
                answer = {"seconds": seconds, "value": value}
            elif request["op"] == "drop":
                peers.clear()
                if machine.cuda:
                    torch.cuda.empty_cache()
                answer = {}
            else:
                answer = {"error": "expected prepare, run or drop"}
        except Exception as error:
            answer = {"error": "%s: %s" % (type(error).__name__, error)}
        print(json.dumps(answer), flush=True)


# ---------------------------------------------------------------- check


def relative(a, b):
    return float((a - b).norm() / b.norm().clamp_min(1e-300))


def check_cdc(case):
    """Loss, gradients and log densities of P1's network and of passes.py against the truth, in float64."""
    double = lambda values: torch.tensor(values, dtype=torch.float64)
    network = Network(case["inputDim"], case["hiddenDim"], case["depth"], case["numTimesteps"], "published").double()
    names = list(case["parameters"])  # in the order of Network.ordered
    with torch.no_grad():
        for p, name in zip(network.ordered(), names):
            p.copy_(double(case["parameters"][name]))
    batch, levels = case["training"], case["numTimesteps"]
    t = torch.tensor(batch["tIdx"])
    order = torch.argsort(((t == 0) | (t == levels - 1)).int(), stable=True)
    t, x0, eps = t[order], double(batch["x0"])[order], double(batch["noise"])[order]
    times = double(case["timeSteps"]).abs()
    alpha, sigma = torch.exp(-times), (-torch.expm1(-2 * times)).sqrt()
    tape = Autograd(x0, network, levels, len(t), foreach=False)
    tape.alpha, tape.sigma = alpha, sigma
    loss = tape.loss(x0, t, eps)
    loss.backward()
    with torch.no_grad():
        parameters = [p.detach() for p in network.ordered()]
        x = alpha[t].unsqueeze(-1) * x0 + sigma[t].unsqueeze(-1) * eps
        active = int(((t != 0) & (t != levels - 1)).sum())
        own, grads = passes.cdc_gradients(parameters, x, t, eps, sigma[t], active, smooth=False, scale=64.0)
        ratio = passes.cdc_log_ratio(parameters, double(case["logDensity"]["z"]), smooth=False)
    truth = [double(batch["gradients"][name]) for name in names]
    errors = [relative(p.grad, g) for p, g in zip(network.ordered(), truth)]
    errors += [relative(a, b) for a, b in zip(grads, truth)]
    errors += [abs(float(v) - batch["loss"]) / batch["loss"] for v in (loss.detach(), own)]
    return max(errors + [relative(ratio, double(case["logDensity"]["value"]))])


def check_smooth():
    """The library's own activation has no truth file: passes.py against autograd, alone and as an ensemble."""
    torch.manual_seed(5)
    data = make_data(500, 4, torch.Generator().manual_seed(5), torch.float64)
    network = Network(4, 24, 3, 6, "silu").double()
    tape = Autograd(data, network, 6, 60, foreach=False)
    t = torch.cat((torch.randint(1, 5, (40,)), 5 * torch.randint(2, (20,))))
    x0, eps = data[:60], torch.randn(60, 4, dtype=torch.float64)
    tape.loss(x0, t, eps).backward()
    z = data[:30].clone().requires_grad_()
    logits = network(z)
    (g,) = torch.autograd.grad((logits[:, 2] - logits[:, -1]).sum(), z)
    with torch.no_grad():
        parameters = [p.detach() for p in network.ordered()]
        x = tape.alpha[t].unsqueeze(-1) * x0 + tape.sigma[t].unsqueeze(-1) * eps
        one = passes.cdc_gradients(parameters, x, t, eps, tape.sigma[t], 40)[1]
        double = lambda v: v.expand(2, *v.shape)
        two = passes.cdc_gradients(
            [double(p) for p in parameters], double(x), double(t), double(eps), double(tape.sigma[t]), 40
        )[1]
        field = passes.cdc_field(parameters, data[:30], passes.level_difference(2, 6, data))
        clipped = passes.clip(two, 1e-3, True)
    norm = sum(c[1].square().sum() for c in clipped).sqrt()
    errors = [relative(a, p.grad) for a, p in zip(one, network.ordered())]
    errors += [relative(b[1], a) for a, b in zip(one, two)]
    return max(errors + [relative(field, g), abs(float(norm) / 1e-3 - 1) * 1e-6])


def check_reflection(case):
    double = lambda values: torch.tensor(values, dtype=torch.float64)
    network = published_reflection(case["inputDim"], case["hiddenDim"], case["numLayers"]).double()
    network.load_state_dict({name.replace("model.", "", 1): double(v) for name, v in case["parameters"].items()})
    batch = case["training"]
    u, sign = passes.fold(double(batch["u0"]) + double(batch["t"]).unsqueeze(-1) * double(batch["v0"]))
    velocity = sign * double(batch["v0"])
    x = torch.cat((u, double(batch["t"]).unsqueeze(-1)), -1)
    prediction = network(x)
    nn.functional.mse_loss(prediction, velocity).backward()
    names = ["model." + name for name, _ in network.named_parameters()]
    truth = [double(batch["gradients"][name]) for name in names]
    errors = [relative(p.grad, g) for p, g in zip(network.parameters(), truth)]
    with torch.no_grad():
        parameters = [p.detach() for p in network.parameters()]
        loss, grads = passes.mlp_gradients(parameters, x, velocity, scale=64.0)
        errors += [relative(a, b) for a, b in zip(grads, truth)]
        errors += [relative(u, double(batch["ut"])), relative(velocity, double(batch["vt"]))]
        errors += [relative(prediction, double(batch["prediction"])), abs(float(loss) - batch["loss"]) / batch["loss"]]
        times, path = case["eulerSampler"]["times"], case["eulerSampler"]["trajectory"]
        u = double(path[0])
        for t, s in zip(times, times[1:]):
            stamp = torch.full_like(u[:, :1], t)
            u = passes.fold(u + (s - t) * passes.mlp(parameters, torch.cat((u, stamp), -1))[0])[0]
        errors.append(relative(u, double(path[-1])))
    return max(errors)


def check(folder):
    read = lambda name: json.load(open("%s/%s.json" % (folder, name)))
    errors = {"cdc %d" % i: check_cdc(c) for i, c in enumerate(read("cdc")) if c["correlation"] is None}
    errors["cdc, silu"] = check_smooth()
    errors.update({"reflection %d" % i: check_reflection(c) for i, c in enumerate(read("reflection"))})
    passed = max(errors.values()) < 1e-10
    print(json.dumps({"check": "passed" if passed else "FAILED", "errors": errors}))
    return 0 if passed else 1


def main():
    parser = argparse.ArgumentParser(description="PyTorch peers of the GPU suite")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--compile", choices=("auto", "on", "off"), default="auto")
    parser.add_argument("--check", metavar="FIXTURES", help="folder with cdc.json and reflection.json")
    options = parser.parse_args()
    if options.check:
        return check(options.check)
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        print(json.dumps({"error": "this PyTorch (%s) sees no CUDA device" % torch.__version__}), flush=True)
        return 1
    serve(Machine(options.device, options.compile))
    return 0


if __name__ == "__main__":
    sys.exit(main())
