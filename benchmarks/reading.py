"""A trained network read, refitted and reported: time beside 3 x `gb.fit` + one forward pass, and peak memory.

python benchmarks/reading.py                                    all frameworks, each in a process of its own
python benchmarks/reading.py torch --threads 1 --repeat 5
python benchmarks/reading.py sklearn --rows 500 --columns 2 --repeat 50          a small one, in a row

The data are a frame with columns of numbers, each in one piece; `gb.fit` gets them as an array, row by row, and the
forward pass what the framework likes best. Each network is trained to the maximum of the likelihood.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

GOAL, MEMORY = 3.0, 100.0
Forward = Callable[[], Any]


def frame_of(rows: int, columns: int) -> Any:
    """y, and columns x1, x2, ... of normal numbers."""
    import numpy as np
    import pandas as pd

    random = np.random.default_rng([11, rows, columns])
    data = {f"x{j + 1}": random.standard_normal(rows) for j in range(columns)}
    slopes = random.normal(0, 0.6 / np.sqrt(columns), columns)
    eta = -0.7 + sum(b * x for b, x in zip(slopes, data.values(), strict=True))
    data["y"] = (random.random(rows) < 1 / (1 + np.exp(-eta))).astype(float)
    return pd.DataFrame(data)


# --- networks at the maximum of the likelihood: the model, its forward pass on all rows, and inputs= -----------------


def sklearn(frame: Any) -> tuple[Any, Forward, Any]:
    """LogisticRegression on the columns as they are."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    X = frame.drop(columns="y")
    model = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(X, frame["y"])
    return model, lambda: model.predict_proba(X), None


def pipeline(frame: Any) -> tuple[Any, Forward, Any]:
    """LogisticRegression behind a StandardScaler."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X = frame.drop(columns="y")
    unit = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)
    model = make_pipeline(StandardScaler(), unit).fit(X, frame["y"])
    return model, lambda: model.predict_proba(X), None


def torch(frame: Any) -> tuple[Any, Forward, Any]:
    """BatchNorm, Linear and Sigmoid in single precision, trained by L-BFGS with the moments of all rows."""
    import numpy as np
    import torch
    from torch import nn

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    names = [name for name in frame.columns if name != "y"]
    X = torch.from_numpy(np.ascontiguousarray(frame[names].to_numpy(dtype=np.float32)))
    y = torch.tensor(frame["y"].to_numpy(dtype=np.float32))[:, None]
    norm, unit = nn.BatchNorm1d(len(names), momentum=None), nn.Linear(len(names), 1)
    norm(X)
    module = nn.Sequential(norm, unit, nn.Sigmoid()).eval()
    learner = torch.optim.LBFGS(
        unit.parameters(), max_iter=40, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def closure() -> Any:
        learner.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(unit(norm(X)), y)
        loss.backward()
        return loss

    learner.step(closure)

    def forward() -> Any:
        with torch.no_grad():
            return module(X)

    return module, forward, names


def onnx(frame: Any) -> tuple[Any, Forward, Any]:
    """The pipeline of scikit-learn, written by skl2onnx in single precision."""
    import numpy as np
    import onnxruntime
    from skl2onnx import to_onnx

    model = pipeline(frame)[0]
    names = [name for name in frame.columns if name != "y"]
    X = np.ascontiguousarray(frame[names].to_numpy(dtype=np.float32))
    graph = to_onnx(model, X[:1], options={"zipmap": False})
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(graph.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    place = session.get_inputs()[0].name
    return graph, lambda: session.run(["probabilities"], {place: X}), names


NETWORKS = {"sklearn": sklearn, "pipeline": pipeline, "torch": torch, "onnx": onnx}


# --- what is measured -------------------------------------------------------------------------------------------------


def reading(frame: Any, model: Any, inputs: Any) -> None:
    """Read, refit, report."""
    import glmnet_bridge as gb

    formula = "y ~ " + " + ".join(name for name in frame.columns if name != "y")
    repr(gb.bridge(formula, frame, network=model, inputs=inputs))


def times(name: str, rows: int, columns: int, repeat: int) -> None:
    """In this process: medians of fit, forward pass and reading, interleaved."""
    import numpy as np

    import glmnet_bridge as gb

    frame = frame_of(rows, columns)
    model, forward, inputs = NETWORKS[name](frame)
    X, y = np.ascontiguousarray(frame.drop(columns="y").to_numpy()), frame["y"].to_numpy()
    gb.fit(X[:3000], y[:3000])
    reading(frame.iloc[:3000], model, inputs)
    steps = (lambda: gb.fit(X, y), forward, lambda: reading(frame, model, inputs))
    wall, cpu = np.empty((repeat, 3)), np.empty((repeat, 3))
    for turn in range(repeat):
        for at, step in enumerate(steps):
            began, used = time.perf_counter(), time.process_time()
            step()
            wall[turn, at], cpu[turn, at] = time.perf_counter() - began, time.process_time() - used
    for what, found in (("wall", wall), ("cpu", cpu)):
        fit, once, whole = 1e3 * np.median(found, axis=0)
        ratio = np.median(found[:, 2] / (GOAL * found[:, 0] + found[:, 1]))
        print(
            f"  {name:<10}{what:<5} fit {fit:7.1f} ms   forward {once:6.1f} ms   bridge and report {whole:7.1f} ms   "
            f"/ ({GOAL:g} fit + forward) {ratio:5.2f}",
            flush=True,
        )


def memory(name: str, rows: int, columns: int) -> None:
    """In this process: the peak while reading above what data and model take."""
    from memory import megabytes

    frame = frame_of(rows, columns)
    model, forward, inputs = NETWORKS[name](frame)
    reading(frame.iloc[:3000], model, inputs)
    del forward
    with open("/proc/self/clear_refs", "w") as counters:
        counters.write("5")
    current = megabytes("VmRSS")
    reading(frame, model, inputs)
    print(f"  {name:<10}     {megabytes('VmHWM') - current:6.0f} MB above the data (goal {MEMORY:g})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        if options.inside == "memory":
            memory(options.networks[0], options.rows, options.columns)
        else:
            times(options.networks[0], options.rows, options.columns, options.repeat)
        return
    print(f"{options.rows} rows, {options.columns} inputs, {options.threads} thread(s), medians of {options.repeat}")
    limits = {f"{library}_NUM_THREADS": str(options.threads) for library in ("OMP", "OPENBLAS", "MKL")}
    sizes = ["--rows", str(options.rows), "--columns", str(options.columns), "--repeat", str(options.repeat)]
    for name in options.networks:
        for what in ("times", "memory"):
            command = [sys.executable, __file__, name, "--inside", what, *sizes]
            subprocess.run(command, check=True, env={**os.environ, **limits})


if __name__ == "__main__":
    main()
