"""Import time in fresh processes, beside importing pandas, patsy and scipy.linalg: the goal is at most 1.33 times.

python benchmarks/imports.py --repeat 9

An installed package has its bytecode beside it. A first run of each line, which is not timed,
writes the bytecode of all packages to a folder of its own, so that no line compiles its source.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

PEER = "import pandas, patsy, scipy.linalg"
BARE = "import glmnet_bridge"
OURS = "import glmnet_bridge; glmnet_bridge.glm"  # what a script that fits will load


def seconds(code: str, bytecode: str) -> float:
    """User and system seconds of a fresh interpreter that runs this code; `bytecode` is a folder for compiled files."""
    script = f"import time; began = time.process_time(); {code}; print(time.process_time() - began)"
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    settings["PYTHONPYCACHEPREFIX"] = bytecode
    command = [sys.executable, "-c", script]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=settings).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=9)
    repeat = parser.parse_args().repeat
    times: dict[str, list[float]] = {PEER: [], BARE: [], OURS: []}
    with tempfile.TemporaryDirectory() as bytecode:
        for code in times:
            seconds(code, bytecode)
        for _ in range(repeat):
            for code in times:
                times[code].append(seconds(code, bytecode))
    for code, measured in times.items():
        # other work on the machine can only add to the time of a process: the best of them is the nearest
        print(f"  {code:<45}best {min(measured):6.3f} s   ratio {min(measured) / min(times[PEER]):.2f}")


if __name__ == "__main__":
    main()
