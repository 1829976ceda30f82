"""Print, for every real CT, whether the paste keeps all voxels outside the feather, and its time and memory.

    python Testing/benchmarks/bench_geometry.py

Then the same for a 512 × 512 × 200 volume of noise around a lesion, the size of a full abdominal CT.
"""

import importlib.util
import os
import re
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import cKDTree

from mewm.case import Case, make_case, read_case
from mewm.image_io import read_image
from mewm.roi import FEATHER_END_MM, Roi, cut_roi, paste_ct

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5


def ball(ct: sitk.Image, centre: tuple[float, float, float], radius: float) -> sitk.Image:
    """A lesion mask for a scan that has none: a ball around an LPS point."""
    z, y, x = np.indices(ct.GetSize()[::-1], sparse=True)
    index = ct.TransformPhysicalPointToContinuousIndex(centre)
    squared = sum(((i - c) * s) ** 2 for i, c, s in zip((x, y, z), index, ct.GetSpacing(), strict=True))
    mask = sitk.GetImageFromArray((squared <= radius**2).astype(np.uint8))
    mask.CopyInformation(ct)
    return mask


def cases() -> Iterator[tuple[str, Case]]:
    """Every real CT that this machine has, then the large volume."""
    data = Path(os.environ.get("MEWM_REAL_DATA", ROOT.parent / "shared" / "data"))
    if data.is_dir():
        for label in (1, 2, 3, 4):
            folder = data / "crlm_ct_1006"
            lesions = folder / "lesions_semiauto.nii.gz"
            yield f"crlm_1006 lesion {label}", read_case(folder / "ct.nii.gz", lesions, lesion_label=label)
        ct = read_image(data / "crlm_ct_1004" / "ct.nii.gz")
        yield "crlm_1004, ball", make_case(ct, ball(ct, (-90.0, -20.0, -240.0), 15.0))
        folder = data / "totalsegmentator_example"
        for name, labels in (
            ("example_ct", "example_seg_fast_force_split"),
            ("example_ct_sm", "example_seg"),
        ):
            ct, organs = read_image(folder / f"{name}.nii.gz"), read_image(folder / f"{labels}.nii.gz")
            liver = sitk.GetArrayFromImage(organs) == 5
            depth = ndimage.distance_transform_edt(liver)
            index = [int(i) for i in np.unravel_index(np.argmax(depth), depth.shape)[::-1]]
            yield f"{name}, ball", make_case(ct, ball(ct, ct.TransformIndexToPhysicalPoint(index), 12.0))
    else:
        print(f"no real data at {data}; set MEWM_REAL_DATA")
    spec = importlib.util.find_spec("liver_ct_segmentation_package")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent / "data"
        for component in (1, 2, 4):
            yield (
                f"lits117 lesion {component}",
                read_case(
                    folder / "img_117.mrc",
                    folder / "lab_117.mrc",
                    lesion_label=2,
                    liver_label=1,
                    component=component,
                    spacing=(1.40625, 1.40625, 1.40625),
                    orientation="SPL",
                ),
            )
    noise = np.random.default_rng(0).normal(80, 300, (200, 512, 512)).astype(np.int16)
    ct = sitk.GetImageFromArray(noise)
    ct.SetSpacing((0.8, 0.8, 1.5))
    yield "512x512x200 noise", make_case(ct, ball(ct, (200.0, 200.0, 150.0), 30.0))


def outside_changed(case: Case, roi: Roi, after: sitk.Image) -> tuple[int, int]:
    """How many voxels changed, and how many of them beyond the feather's reach."""
    changed = np.argwhere(sitk.GetArrayViewFromImage(after) != sitk.GetArrayViewFromImage(case.ct))[:, ::-1]
    matrix = np.array(case.ct.GetDirection()).reshape(3, 3) * np.array(case.ct.GetSpacing())
    world = changed @ matrix.T + np.array(case.ct.GetOrigin())
    lesion = np.argwhere(roi.lesion)[:, ::-1] * roi.spacing + np.array(roi.origin)
    distance, _ = cKDTree(lesion).query(world)
    return len(changed), int((distance > FEATHER_END_MM + np.sqrt(3.0) * roi.spacing).sum())


def peak_mb() -> float:
    """Peak memory of this process in MB since :func:`reset_peak` (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) / 1024


def reset_peak() -> float:
    """Forget the peak so far and return the memory in use in MB (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_mb()


def main() -> None:
    """Print one line a case."""
    print("case                    voxels        changed  outside  header  identity  cut s  paste s  paste MB")
    for name, case in cases():
        start = time.perf_counter()
        roi = cut_roi(case)
        cut = time.perf_counter() - start
        post = np.where(roi.feather > 0, 700.0, roi.ct)
        before = reset_peak()
        times = []
        for _ in range(RUNS):
            start = time.perf_counter()
            after = paste_ct(case, roi, post)
            times.append(time.perf_counter() - start)
        grown = peak_mb() - before
        changed, outside = outside_changed(case, roi, after)
        header = all(
            getattr(after, get)() == getattr(case.ct, get)()
            for get in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection", "GetPixelID", "GetMetaDataKeys")
        )
        same = sitk.Hash(paste_ct(case, roi, roi.ct)) == sitk.Hash(case.ct)
        print(
            f"{name:22} {'x'.join(map(str, case.ct.GetSize())):13} {changed:8} {outside:8}  "
            f"{'same' if header else 'OTHER':6}  {'same' if same else 'OTHER':8} {cut:6.2f} "
            f"{statistics.median(times):8.3f} {grown:9.0f}"
        )


if __name__ == "__main__":
    main()
