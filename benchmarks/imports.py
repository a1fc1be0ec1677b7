"""Import time in fresh processes, beside importing pandas, patsy and scipy.linalg: the goal is at most 1.4 times.

python benchmarks/imports.py --repeat 9
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

PEER = "import pandas, patsy, scipy.linalg"
OURS = "import glmnet_bridge; glmnet_bridge.glm"


def seconds(code: str) -> float:
    """User and system seconds of a fresh interpreter that runs this code, less an empty one's."""
    script = f"import time; began = time.process_time(); {code}; print(time.process_time() - began)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(out.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    times: dict[str, list[float]] = {PEER: [], OURS: []}
    for _ in range(repeat):
        for code in times:
            times[code].append(seconds(code))
    ratios = [ours / peer for ours, peer in zip(times[OURS], times[PEER], strict=True)]
    for code, measured in times.items():
        print(f"  {code:<45}{statistics.median(measured):8.3f} s")
    print(f"  ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
