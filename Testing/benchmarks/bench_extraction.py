"""Print how well and how fast reports are read.

    python Testing/benchmarks/bench_extraction.py

The published descriptions need ../shared/data (or MEWM_REAL_DATA); the invented reports ship with the tests. They were
written and labelled before the reader saw them; the figures of that first reading stand in docs/reports.md.
"""

import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from report_labels import LABELS, own_texts, published_texts, score

from mewm.reports.extract import extract

ROOT = Path(__file__).resolve().parents[2]
REPORTS = 1000


def main():
    """Print the figures of every set, then the time for a thousand reports."""
    sets = {p.stem: own_texts(p.stem) for p in sorted(LABELS.glob("reports_*.txt"))}
    data = Path(os.environ.get("MEWM_REAL_DATA", ROOT.parent / "shared" / "data"))
    if data.is_dir():
        sets = {"published": published_texts(data), **sets}
    else:
        print(f"no real data at {data}; set MEWM_REAL_DATA")
    for name, labelled in sets.items():
        figures = score(labelled, extract)
        print(f"{name:10}", ", ".join(f"{what} {value:.4g}" for what, value in figures.items()))
    texts = [report.text for labelled in sets.values() for report in labelled]
    extract(texts[0])
    wall, processor = time.perf_counter(), time.process_time()
    for i in range(REPORTS):
        extract(texts[i % len(texts)])
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    size = sum(len(texts[i % len(texts)]) for i in range(REPORTS))
    print(
        f"{REPORTS} reports ({size / 1000:.0f} thousand characters): {wall:.2f} s, {processor:.2f} s of processor time"
    )


if __name__ == "__main__":
    main()
