"""Peak memory of one fit above its data, in fresh processes: ours (goal: 60 MB at 1e6 x 20) beside the peers.

python benchmarks/memory.py formula --engines ours glum
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys


def measure(workload: str, engine: str) -> None:
    """In this process: megabytes of the data, and of the peak during the fit above them."""
    import workloads

    few = workloads.make(workload, 0.005)
    workloads.ENGINES[engine](few)
    work = workloads.make(workload)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    current = _resident()
    workloads.ENGINES[engine](work)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    # data are made with temporaries, so that the peak so far may hide the fit's: measured from what is resident
    print(f"  {workload:<8} {engine:<12} {max(after - current, 0):8.0f} MB above the data"
          f"{'' if after > before else ' (at most: hidden below the peak of making the data)'}")  # fmt: skip


def _resident() -> float:
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


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
