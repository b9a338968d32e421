"""Reads a model file of sklar into PyTorch and scores rows by it, as `logPdf` of a CDC does (docs/model-format.md).

    python3 examples/read_model.py model.safetensors '[[0.2, 0.3], [0.5, 0.9]]'
"""
import json
import sys

import numpy as np
import torch
from torch.nn.functional import relu, silu


def read_model(path):
    raw = open(path, "rb").read()
    start = 8 + int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8:start])
    document = json.loads(header.pop("__metadata__")["sklar"])
    dtypes = {"F32": "<f4", "F64": "<f8"}
    tensors = {}
    for name, tensor in header.items():
        first, end = tensor["data_offsets"]
        flat = np.frombuffer(raw[start + first:start + end], dtypes[tensor["dtype"]])
        tensors[name] = torch.from_numpy(flat.reshape(tensor["shape"]).astype(float))
    return document, tensors


def log_pdf(document, tensors, u):
    """log c(u), nats, without normaliser; u: rows x columns, strictly between 0 and 1"""
    network, guided = document["config"]["network"], document["config"]["guided"]
    inner = relu if network["activation"] == "published" else silu
    linear = lambda name, x: x @ tensors[name + ".weight"].T + tensors[name + ".bias"]
    z = torch.special.ndtri(torch.as_tensor(u, dtype=torch.float64))
    factor = tensors["guide.cholesky"] if guided else torch.eye(z.shape[1], dtype=torch.float64)
    y = torch.linalg.solve_triangular(factor, z.T, upper=False).T
    h = linear("backbone.input_proj", y)
    for k in range(network["depth"]):
        block = f"backbone.resblocks.{k}.net."
        h = silu(h + linear(block + "2", inner(linear(block + "0", h))))
    logits = linear("classifier_head", h)
    guide = (z.square().sum(1) - y.square().sum(1)) / 2 - factor.diagonal().log().sum()
    return logits[:, 0] - logits[:, -1] + guide


if __name__ == "__main__":
    print(json.dumps(log_pdf(*read_model(sys.argv[1]), json.loads(sys.argv[2])).tolist()))
