"""Import time in fresh processes, beside importing pandas, patsy and scipy.linalg: the goal is at most 1.4 times.

python benchmarks/imports.py --repeat 9
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

PEER = "import pandas, patsy, scipy.linalg"
BARE = "import glmnet_bridge"
OURS = "import glmnet_bridge; glmnet_bridge.glm"  # what a script that fits will load


def seconds(code: str) -> float:
    """User and system seconds of a fresh interpreter that runs this code, less an empty one's."""
    script = f"import time; began = time.process_time(); {code}; print(time.process_time() - began)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(out.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    times: dict[str, list[float]] = {PEER: [], BARE: [], OURS: []}
    for _ in range(repeat):
        for code in times:
            times[code].append(seconds(code))
    for code, measured in times.items():
        ratio = statistics.median(own / peer for own, peer in zip(measured, times[PEER], strict=True))
        print(f"  {code:<45}{statistics.median(measured):8.3f} s   ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
