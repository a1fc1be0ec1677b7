"""Fitting speed beside peers, interleaved in one run; prints a table of medians and ratios.

python benchmarks/speed.py                            all workloads, with one and two threads
python benchmarks/speed.py dense --threads 1 --repeat 7 --peers glum statsmodels
python benchmarks/speed.py small --cold --repeat 30   each call after a full garbage collection, which
                                                      also empties the processor's caches
"""

from __future__ import annotations

import argparse
import gc
import os
import subprocess
import sys
import time


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--inner", type=int, default=1, help="calls per measurement, for short ones")
    parser.add_argument("--cold", action="store_true", help="collect garbage before each measurement")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows")
    parser.add_argument("--peers", nargs="*", default=["glum"])
    parser.add_argument("--only", help=argparse.SUPPRESS)
    return parser.parse_args()


# workload, threads, repeats, how a call is measured, peers
ALL = (
    ("dense", 1, 7, (), ("glum", "sklearn_newton")),
    ("dense", 2, 7, (), ("glum", "sklearn_newton")),
    ("wide", 1, 5, (), ("glum", "sklearn_newton")),
    ("wide", 2, 5, (), ("glum", "sklearn_newton")),
    ("classes", 1, 5, (), ("statsmodels",)),
    ("formula", 1, 5, (), ("glum",)),
    ("small", 1, 9, ("--inner", "20"), ("glum", "statsmodels")),
    ("small", 1, 30, ("--cold",), ("glum", "statsmodels")),
)


def run_all() -> None:
    """Each workload in a fresh process, because the number of threads is read once."""
    for workload, threads, repeat, how, peers in ALL:
        options = ["--threads", str(threads), "--repeat", str(repeat), *how, "--peers", *peers]
        subprocess.run([sys.executable, __file__, workload, *options], check=True)


def apart(options: argparse.Namespace) -> None:
    """Engines in processes of their own, in turn: with several threads a peer's pool keeps spinning after its call."""
    names = ["ours", *options.peers]
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.repeat):
        for name in names:
            command = [sys.executable, __file__, options.workload, "--threads", str(options.threads), "--only", name]
            command += ["--cold"] if options.cold else []
            done = subprocess.run([*command, "--repeat", "3"], capture_output=True, text=True, check=True)
            times[name].append(float(done.stdout))
    print(f"{options.workload}, {options.threads} thread(s), medians of {options.repeat} processes of 3 fits each")
    for name in names:
        ratios = sorted(theirs / own for theirs, own in zip(times[name], times["ours"], strict=True))
        middle = sorted(times[name])[len(times[name]) // 2]
        print(f"  {name:<16}{1e3 * middle:10.2f} ms wall   wall / ours {ratios[len(ratios) // 2]:6.2f}")


def main() -> None:
    options = arguments()
    if options.workload is None:
        run_all()
        return
    if options.threads > 1 and not options.only:
        apart(options)
        return
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = str(options.threads)
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import numpy as np
    import workloads

    work = workloads.make(options.workload, options.share)
    few = workloads.make(options.workload, min(1.0, options.share * 5000 / workloads.SIZES[options.workload][0]))
    names = [options.only] if options.only else ["ours", *options.peers]
    wall: dict[str, list[float]] = {name: [] for name in names}
    cpu: dict[str, list[float]] = {name: [] for name in names}
    for name in names:
        workloads.ENGINES[name](few)
    for _ in range(options.repeat):
        for name in names:
            if options.cold:
                gc.collect()
            began, used = time.perf_counter(), time.process_time()
            for _ in range(options.inner):
                workloads.ENGINES[name](work)
            wall[name].append((time.perf_counter() - began) / options.inner)
            cpu[name].append((time.process_time() - used) / options.inner)
    if options.only:
        print(np.median(wall[options.only]))
        return
    how = ", cold" if options.cold else ""
    print(f"{options.workload}{how}, {options.threads} thread(s), medians of {options.repeat}")
    for name in names:
        ratios = [theirs / own for theirs, own in zip(wall[name], wall["ours"], strict=True)]
        print(
            f"  {name:<16}{1e3 * np.median(wall[name]):10.2f} ms wall{1e3 * np.median(cpu[name]):10.2f} ms cpu"
            f"   wall / ours {np.median(ratios):6.2f}   cpu / ours {np.median(cpu[name]) / np.median(cpu['ours']):6.2f}"
        )


if __name__ == "__main__":
    main()
