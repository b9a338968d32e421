"""What numpy and scipy have for margins, column by column: np.sort, scipy.stats.rankdata, and linear interpolation of an
empirical distribution function of 65,536 knots and of its inverse (np.interp).

usage: margins.py COLUMNS.f64 NUMBER_OF_COLUMNS; answers sort, rank, interpolate, invert and memory, one a line, until quit
"""

import json
import resource
import sys
import time

import numpy as np
import scipy
from scipy.stats import rankdata

KNOTS = 65536


def main():
    columns = int(sys.argv[2])
    x = np.fromfile(sys.argv[1]).reshape(columns, -1)
    rows = x.shape[1]
    ranks = np.linspace(1, rows, min(KNOTS, rows)).round()
    levels = ranks / (rows + 1)
    knots = [np.sort(column)[ranks.astype(int) - 1] for column in x]
    u = np.empty((rows, columns))

    def sort():
        for column in x:
            np.sort(column)

    def rank():
        for j, column in enumerate(x):
            u[:, j] = rankdata(column) / (rows + 1)

    def interpolate():
        for j, column in enumerate(x):
            u[:, j] = np.interp(column, knots[j], levels)

    def invert():
        for j in range(columns):
            np.interp(u[:, j], levels, knots[j])

    stages = {"sort": sort, "rank": rank, "interpolate": interpolate, "invert": invert}
    print(json.dumps({"numpy": np.__version__, "scipy": scipy.__version__, "threads": 1}), flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name == "quit":
            return
        if name == "memory":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(json.dumps({"peakBytes": 1024 * peak}), flush=True)
            continue
        started = time.perf_counter()
        before = time.process_time()
        stages[name]()
        seconds = time.perf_counter() - started
        print(json.dumps({"seconds": seconds, "processorSeconds": time.process_time() - before}), flush=True)


main()
