"""Print how long `import mewm` takes beside an empty interpreter, and which packages it loads.

python Testing/benchmarks/bench_import.py
"""

import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(code: str) -> list[float]:
    """Wall seconds of fresh interpreters that run ``code``."""
    found = []
    for _ in range(RUNS):
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        found.append(time.perf_counter() - start)
    return found


def main() -> None:
    """Measure in alternation and print medians."""
    seconds("import mewm")
    empty, imported = seconds("pass"), seconds("import mewm")
    extra = 1000 * (statistics.median(imported) - statistics.median(empty))
    print(f"empty interpreter {1000 * statistics.median(empty):6.1f} ms (median of {RUNS})")
    print(f"with import mewm  {1000 * statistics.median(imported):6.1f} ms")
    print(
        f"import mewm costs {extra:6.1f} ms, {statistics.median(imported) / statistics.median(empty):.2f} times empty"
    )
    names = "{'torch', 'numpy', 'scipy', 'SimpleITK', 'pandas'}"
    heavy = f"import sys, mewm; print(sorted({names} & set(sys.modules)))"
    print("heavy packages loaded:", subprocess.check_output([sys.executable, "-c", heavy], text=True).strip())


if __name__ == "__main__":
    main()
