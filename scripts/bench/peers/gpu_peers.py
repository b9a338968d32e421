#!/usr/bin/env python3
"""PyTorch peers of the GPU suite (scripts/gpu-suite.mjs), written from docs/mathematics.md.

P1  the model as its authors run it: eager float32, autograd (double backward for a CDC), Adam
P2  P1 with TF32 products
P3  one unit of P2 (a step, a trajectory, a batch) captured as a CUDA graph
P4  the strongest PyTorch that we could write: passes.py without a tape, 16-bit products (density: float32 or three TF32
    products), torch.compile where it works, a CUDA graph around the unit; the fastest of these forms

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

from gpu_cases import CASES, Density
from gpu_check import check

DENSITY_ERROR = 5e-6  # the errors of float32, of log densities


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
                    if case is Density:
                        error = Density.error(spec, unit())
                        if not error < DENSITY_ERROR:
                            raise ArithmeticError("relative error %.1e" % error)
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
