"""How fast the engine process answers: first row, cancellation, a second request. Prints figures, asserts nothing.

Two cases: the simulated sample (96³ voxels) and the same in the grid of a clinical CT (512 × 512 × 200). Usage:
``python Testing/benchmarks/bench_worker.py [--runs N]``.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import SimpleITK as sitk
from worker_process import WorkerProcess

OWN = "Epirubicin 40 mg; Lipiodol 8 ml"


def timed(worker, request):
    """Seconds until the first event of each kind of a request that succeeds."""
    begun = time.perf_counter()
    seen = {}
    while True:
        event = worker.event()
        if event["id"] != request:
            continue
        seen.setdefault(event["event"], time.perf_counter() - begun)
        if event["event"] == "error":
            raise SystemExit(event["message"])
        if event["event"] == "done":
            return seen


def large_case(sample, folder):
    """The sample in soft tissue on a clinical CT's grid, written as the panel writes it: without compression."""
    grid = sitk.Image(512, 512, 200, sitk.sitkUInt8)
    grid.SetSpacing((0.75, 0.75, 1.5))
    small = sitk.ReadImage(sample["ct"])
    middle = small.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in small.GetSize()])
    grid.SetOrigin([m - s * (n - 1) / 2 for m, s, n in zip(middle, grid.GetSpacing(), grid.GetSize(), strict=True)])
    case = dict(sample)
    for name, (method, outside) in {
        "ct": (sitk.sitkLinear, 50),
        "lesion": (sitk.sitkNearestNeighbor, 0),
        "liver": (sitk.sitkNearestNeighbor, 0),
    }.items():
        case[name] = str(folder / f"{name}.nrrd")
        image = sitk.Resample(sitk.ReadImage(sample[name]), grid, sitk.Transform(3, sitk.sitkIdentity), method, outside)
        sitk.WriteImage(image, case[name])
    return case


def cancel_latency(worker, case, folder, wait):
    """Seconds from the cancel request to the answer of the cancelled exploration."""
    request = worker.ask("explore", case=case, run=str(folder))
    time.sleep(wait)
    begun = time.perf_counter()
    worker.ask("cancel", target=request)
    worker.until(request)
    return time.perf_counter() - begun


def report(name, values, unit="s"):
    """Print the median and the worst of some measurements."""
    print(f"  {name:<58} median {statistics.median(values):6.2f} {unit}   worst {max(values):6.2f} {unit}")


def measure(worker, name, case, folder, runs):
    """Print the figures of one case."""
    print(f"\n{name}")
    first_volume, first_row, whole, began = [], [], [], []
    for number in range(runs):
        run = folder / f"run{number}"
        seen = timed(worker, worker.ask("explore", case=case, run=str(run)))
        first_volume.append(seen["simulated"])
        first_row.append(seen["scored"])
        whole.append(seen["done"])
        began.append(seen["progress"])
    report("request to first event (second request: nothing is loaded)", began)
    report("request to first simulated volume, worker warm", first_volume)
    report("request to first row, worker warm", first_row)
    report("request to the complete run on disk", whole)
    added = [
        timed(worker, worker.ask("simulate", protocol=OWN, add_to=str(folder / f"run{number}")))["done"]
        for number in range(runs)
    ]
    report("your own protocol in a ranking that exists", added)
    rng = random.Random(0)
    waits = [0.0, 0.1, *(rng.uniform(0.2, 0.9 * min(whole)) for _ in range(3 * runs))]
    cancels = [cancel_latency(worker, case, folder / f"cancel{n}", wait) for n, wait in enumerate(waits)]
    report(f"cancel to answer, at {len(cancels)} moments", cancels)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        begun = time.perf_counter()
        with WorkerProcess(stderr=None) as worker:
            worker.event()
            print(f"start of the process until it listens {time.perf_counter() - begun:6.2f} s")
            worker.result("describe")
            print(f"until libraries and models are loaded {time.perf_counter() - begun:6.2f} s")
            told = worker.result("sample", folder=str(folder / "sample"))
            sample = {key: told[key] for key in ("ct", "lesion", "liver", "facts")}
            (folder / "a").mkdir()
            measure(worker, "simulated sample, 96 x 96 x 96 voxels", sample, folder / "a", runs)
            (folder / "b").mkdir()
            case = large_case(sample, folder / "b")
            measure(worker, "the same on the grid of a CT, 512 x 512 x 200 voxels", case, folder / "b", runs)


if __name__ == "__main__":
    main()
