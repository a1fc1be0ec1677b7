"""Average effects beside statsmodels' get_margeff, in the same run: seconds, and peak memory above the data.

python benchmarks/effects.py                      1e6 x 20 in fits, 500k x 40 in seconds
python benchmarks/effects.py --peer 20000 50000   rows at which statsmodels is timed: its memory grows with them
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np
import pandas as pd
from memory import megabytes

import glmnet_bridge as gb


def frame(rows: int, columns: int) -> tuple[pd.DataFrame, str]:
    """A logit of standard normal columns, and its formula."""
    random = np.random.default_rng([7, rows, columns])
    data = {f"x{j}": random.standard_normal(rows) for j in range(columns)}
    eta = sum(random.normal(0, 0.6 / np.sqrt(columns)) * column for column in data.values())
    data["y"] = (random.random(rows) < 1 / (1 + np.exp(0.7 - eta))).astype(float)
    return pd.DataFrame(data, copy=False), "y ~ " + " + ".join(f"x{j}" for j in range(columns))


def seconds(call, times: int = 3) -> float:
    """Median of several calls."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def above(call) -> float:
    """Megabytes of the peak above what is resident before."""
    with open("/proc/self/clear_refs", "w") as counters:
        counters.write("5")
    before = megabytes("VmRSS")
    call()
    return megabytes("VmHWM") - before


def ours(rows: int, columns: int) -> None:
    data, formula = frame(rows, columns)
    fit = gb.glm(formula, data)
    gb.effects(gb.glm(formula, data.head(2000)))
    memory = above(lambda: gb.effects(fit))
    one = seconds(lambda: gb.glm(formula, data))
    for words, call in (
        ("slopes of all", lambda: gb.effects(fit)),
        ("differences of all", lambda: gb.effects(fit, kind="difference")),
    ):
        taken = seconds(call)
        print(f"  {rows} x {columns}  {words:<20} {taken:7.3f} s = {taken / one:5.2f} fits of {one:.3f} s")
    print(f"  {rows} x {columns}  peak above the data  {memory:7.0f} MB")


def theirs(rows: int, columns: int) -> None:
    import statsmodels.formula.api as smf

    data, formula = frame(rows, columns)
    fit, peer = gb.glm(formula, data), smf.logit(formula, data).fit(disp=0)
    memory = above(lambda: peer.get_margeff())
    slow, fast = seconds(lambda: peer.get_margeff(), 1), seconds(lambda: gb.effects(fit))
    print(
        f"  {rows} x {columns}  statsmodels {slow:.2f} s, {memory:.0f} MB; ours {fast:.4f} s: {slow / fast:.0f} times"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", nargs="*", type=int, default=[20_000, 50_000, 100_000])
    options = parser.parse_args()
    for rows in options.peer:
        theirs(rows, 40)
    ours(1_000_000, 20)
    ours(500_000, 40)


if __name__ == "__main__":
    main()
