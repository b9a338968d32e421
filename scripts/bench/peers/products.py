#!/usr/bin/env python3
"""Peer of the benchmark of matrix products: cblas_sgemm of OpenBLAS on one thread.

Tells about itself in one line of JSON, then answers lines, each with one line of JSON:

  linear ROWS INNER COLUMNS SECONDS    C = A B, A rows x inner, B inner x columns
  outer  ROWS INNER COLUMNS SECONDS    C = A^T B, A inner x rows, B inner x columns

with the least seconds of one call, of samples of 0.2 ms and more for SECONDS in all. Needs numpy.
"""
import ctypes
import ctypes.util
import glob
import json
import math
import sys
import time

import numpy

ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE = 101, 111, 112


def load():
    found = ctypes.util.find_library("openblas")
    for name in ([found] if found else []) + sorted(glob.glob("/usr/lib/*/openblas-*/libopenblas.so.0")):
        try:
            return ctypes.CDLL(name)
        except OSError:
            pass
    print(json.dumps({"error": "there is no OpenBLAS here (Debian: apt-get install libopenblas0-pthread)"}), flush=True)
    sys.exit(1)


def least(seconds, call):
    call()
    begin = time.perf_counter()
    call()
    calls = max(1, math.ceil(2e-4 / (time.perf_counter() - begin)))
    best, end = math.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        for _ in range(calls):
            call()
        best = min(best, (time.perf_counter() - begin) / calls)
    return best


def main():
    blas = load()
    blas.openblas_set_num_threads(1)
    blas.openblas_get_corename.restype = ctypes.c_char_p
    blas.openblas_get_config.restype = ctypes.c_char_p
    about = {"core": blas.openblas_get_corename().decode(), "config": blas.openblas_get_config().decode()}
    print(json.dumps(about), flush=True)
    gemm = blas.cblas_sgemm
    gemm.argtypes = [ctypes.c_int] * 6 + [
        ctypes.c_float,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_float,
        ctypes.c_void_p,
        ctypes.c_int,
    ]
    random = numpy.random.default_rng(1)
    for line in iter(sys.stdin.readline, ""):
        words = line.split()
        if words == ["quit"]:
            break
        rows, inner, columns = (int(word) for word in words[1:4])
        outer = words[0] == "outer"
        a = random.standard_normal((inner, rows) if outer else (rows, inner), dtype=numpy.float32)
        b = random.standard_normal((inner, columns), dtype=numpy.float32)
        c = numpy.zeros((rows, columns), dtype=numpy.float32)
        order = (ROW_MAJOR, TRANSPOSE if outer else NO_TRANSPOSE, NO_TRANSPOSE, rows, columns, inner)
        factors = (1.0, a.ctypes.data, a.shape[1], b.ctypes.data, columns, 0.0, c.ctypes.data, columns)
        seconds = least(float(words[4]), lambda: gemm(*order, *factors))
        if not numpy.allclose(c, (a.T if outer else a) @ b, rtol=1e-3, atol=1e-3):
            print(json.dumps({"error": "OpenBLAS gave a wrong product"}), flush=True)
            continue
        print(json.dumps({"seconds": seconds}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
