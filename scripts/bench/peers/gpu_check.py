"""P1 and P4 of gpu_peers.py against the truth files and against each other, in float64."""
import json

import torch
from torch import nn

import passes
from cdc_train import MAX_NORM, Autograd, Network, make_data
from gpu_cases import published_reflection


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
        alone, both = passes.Training(parameters), passes.Training(parameters, models=2)
        for _ in range(3):
            alone.update(one)
            both.update(two)
    expected = [p.grad.clone() for p in network.ordered()]
    for _ in range(3):
        for p, grad in zip(network.ordered(), expected):
            p.grad.copy_(grad)
        nn.utils.clip_grad_norm_(tape.parameters, MAX_NORM)
        tape.adam.step()
    errors = [relative(a, b) for a, b in zip(one, expected)]
    errors += [relative(b[1], a) for a, b in zip(one, two)]
    errors += [relative(a, p) for a, p in zip(alone.parameters(), network.ordered())]
    return max(errors + [relative(field, g), relative(both.values[1], alone.values)])


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
