"""Print how well the autoencoder gives back every real CT of this machine, and what encoding and decoding cost.

    python Testing/benchmarks/bench_autoencoder.py [--bundle DIR] [--cohort DIR --cases 5] [--pictures DIR]

A CT is known only with its noise, so its error holds the noise too: "beyond" is what is left of the root mean square
error in the liver after the noise that was measured there, as a mean absolute error (times 0.8). With --cohort the same
for cases of the test split of a simulated cohort.
"""

import argparse
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from bench_geometry import cases as real_cases

from mewm.cohort.dataset import read_cohort
from mewm.dynamics.autoencoder.codec import CtAutoencoder, load_autoencoder
from mewm.dynamics.autoencoder.network import WINDOW_HU
from mewm.roi import cut_roi
from mewm.training.autoencoder.pictures import comparison
from mewm.training.autoencoder.reconstruction import OIL_HU, Scan, figures_of, noise_sd, scans_of

MEAN_OF_ABSOLUTE = math.sqrt(2 / math.pi)
LARGEST_VOXELS = 50_000_000
RUNS = 5


def real_scans() -> Iterator[Scan]:
    """Every real CT on the model grid; a ball stands for the lesion where there is none.

    None of them has oil; its figures are those of whatever is as bright.
    """
    for name, case in real_cases():
        if np.prod(case.ct.GetSize()) > LARGEST_VOXELS or "noise" in name:
            continue
        roi = cut_roi(case)
        bright = (roi.ct > OIL_HU) & roi.inside
        regions = {"liver": roi.liver & ~roi.lesion & roi.inside, "viable": roi.lesion, "lipiodol": bright}
        yield Scan(name, roi.ct, regions, roi.lesion)


def simulated_scans(folder: Path, count: int) -> Iterator[Scan]:
    """Both CTs of cases of the test split."""
    cohort = read_cohort(folder)
    for row in cohort.split("test")[:count]:
        yield from scans_of(cohort.load(row))


def reconstruct(codec: CtAutoencoder, ct: np.ndarray) -> np.ndarray:
    """The CT as it comes back, (96, 96, 96) HU."""
    return codec.decode(codec.encode(torch.from_numpy(ct.astype(np.float32))[None, None]))[0, 0].cpu().numpy()


def line(scan: Scan, made: np.ndarray) -> str:
    """One row of the table."""
    figures = figures_of(scan, made)
    cells = [
        f"{figures[name]:8.1f}" if np.isfinite(figures[name]) else "       –"
        for name in ("mae_liver", "mae_viable", "mae_necrosis", "mae_lipiodol")
    ]
    liver = scan.regions["liver"]
    sd = noise_sd(scan.ct, liver)
    error = (made - np.clip(scan.ct, *WINDOW_HU))[liver]
    beyond = MEAN_OF_ABSOLUTE * math.sqrt(max(float(np.square(error).mean()) - sd**2, 0.0))
    cells.append(f"noise {sd:4.1f}, beyond {beyond:4.1f}")
    if np.isfinite(figures["oil_dice"]):
        cells.append(f"oil Dice {figures['oil_dice']:.2f}, mean {figures['oil_mean']:+.1%}")
    cells.append(f"contrast {figures['contrast']:.2f}")
    return f"{scan.name:28s}" + "  ".join(cells)


def timing(codec: CtAutoencoder) -> str:
    """Seconds of one volume: best of some runs, wall clock and processor time of all threads."""
    ct = torch.randn(1, 1, 96, 96, 96, device=codec.device) * 100
    latents = codec.encode(ct)
    found = []
    for name, call in (("encode", lambda: codec.encode(ct)), ("decode", lambda: codec.decode(latents))):
        call()
        times = []
        for _ in range(RUNS):
            wall, cpu = time.perf_counter(), time.process_time()
            call().cpu()
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        best = min(times)
        found.append(f"{name} {best[0]:.3f} s (processor {best[1]:.3f} s)")
    return f"{', '.join(found)} with {torch.get_num_threads()} threads on {codec.device}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--cohort", type=Path)
    parser.add_argument("--cases", type=int, default=5)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--device")
    arguments = parser.parse_args()
    codec = load_autoencoder(arguments.bundle, arguments.device)
    print(f"{'mean absolute error, HU':28s}   liver    tumour  necrosis  oil/bone")
    for group, scans in (
        ("real", real_scans()),
        ("simulated", simulated_scans(arguments.cohort, arguments.cases) if arguments.cohort else iter(())),
    ):
        pairs = [(scan, reconstruct(codec, scan.ct)) for scan in scans]
        for scan, made in pairs:
            print(line(scan, made))
        if arguments.pictures and pairs:
            from PIL import Image

            arguments.pictures.mkdir(parents=True, exist_ok=True)
            Image.fromarray(comparison(*zip(*pairs, strict=True))).save(arguments.pictures / f"{group}.png")
    print(timing(codec))


if __name__ == "__main__":
    main()
