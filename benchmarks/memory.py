"""Peak memory of one fit above its data, in fresh processes: ours (goal: 60 MB at 1e6 x 20) beside the peers.

python benchmarks/memory.py formula --engines ours glum
python benchmarks/memory.py gaps --engines ours glum statsmodels
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys


def measure(workload: str, engine: str) -> None:
    """In this process: the peak during the fit above what the data take."""
    import workloads

    few = workloads.make(workload, 0.005)
    workloads.ENGINES[engine](few)
    work = workloads.make(workload)
    # making the data has a peak of its own, which must not hide the fit's: the system forgets it here
    with open("/proc/self/clear_refs", "w") as counters:
        counters.write("5")
    current = megabytes("VmRSS")
    workloads.ENGINES[engine](work)
    print(f"  {workload:<8} {engine:<12} {megabytes('VmHWM') - current:8.0f} MB above the data")


def megabytes(what: str) -> float:
    """A line of the system's account of this process: what is resident (VmRSS), and its peak (VmHWM)."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(what))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workload", nargs="?", default="dense")
    parser.add_argument("--engines", nargs="+", default=["ours", "glum"])
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    if options.inside:
        measure(options.workload, options.inside)
        return
    for engine in options.engines:
        subprocess.run([sys.executable, __file__, options.workload, "--inside", engine], check=True)


if __name__ == "__main__":
    main()
