"""Print wall time and peak memory of `mewm explore --sample` as a whole process, beside one simulation.

python Testing/benchmarks/bench_sample_case.py [--runs 3]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SIMULATE = ["simulate", "--sample", "--protocol", "Lobaplatin 30 mg; Lipiodol 10 ml", "--replicas", "1"]
COMMANDS = {
    "simulate, 1 replica (baseline)": SIMULATE,
    "explore, fast search": ["explore", "--sample"],
    "explore, Algorithm 1": ["explore", "--sample", "--search", "algorithm1"],
}


def measure(arguments: list[str], out: Path) -> tuple[float, float]:
    """Return wall seconds and peak memory in MiB of one fresh process."""
    command = [sys.executable, "-m", "mewm", *arguments, "--out", str(out), "--overwrite", "--json"]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"mewm {' '.join(arguments)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Run every command several times and print medians and the ratio to the baseline."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    print(f"{os.cpu_count()} cores, median (minimum-maximum) of {runs} runs, B=5 D=10 E=5 T=5 H_d=2 H_e=2")
    baseline = None
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in COMMANDS.items():
            found = [measure(arguments, Path(folder) / "run") for _ in range(runs)]
            walls = [wall for wall, _ in found]
            median = statistics.median(walls)
            baseline = baseline or median
            memory = max(peak for _, peak in found)
            print(
                f"{name:32} {median:6.1f} s ({min(walls):.1f}-{max(walls):.1f}), "
                f"{median / baseline:4.1f} x baseline, peak {memory:.0f} MiB"
            )


if __name__ == "__main__":
    main()
