"""Print how far the alignment of HCC-TACE-Seg is off in the liver after known motions, and how long it takes.

python Testing/benchmarks/bench_registration.py [--patients 3] [--real ../shared/data]

The phantom is that of the importer's tests; the simulated patients are drawn by the cohort's painter in two contrast
phases; the real CTs are LiTS 117 (oil painted into its tumours; once more with its liver and vessels brought to a late
arterial look) and, with ``--real``, TotalSegmentator's example. Every follow-up is turned, shifted and bent by a known
amount and has other noise.
"""

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from mewm.cohort.anatomy import Abdomen
from mewm.cohort.fields import scanner_blur, scanner_noise
from mewm.cohort.hcc_tace_seg.registration import align
from mewm.cohort.hcc_tace_seg.volume import assemble
from mewm.cohort.lesion import draw_phenotype, paint_lesion, place_lesion
from mewm.cohort.painting import paint_abdomen
from mewm.cohort.parameters import CohortParameters
from mewm.cohort.shapes import Grid
from mewm.errors import InputError
from mewm.sample import sample_case

PHASES = (("portal", "portal"), ("portal", "arterial"), ("arterial", "portal"), ("arterial", "arterial"))
SIMULATED = Grid((-178.0, -140.0, -138.0), 2.0, 144)
NOISE_HU = 12.0
POINTS = 3000
Motion = Callable[[np.ndarray], np.ndarray]
Scans = tuple[sitk.Image, sitk.Image, sitk.Image, sitk.Image, np.ndarray, Motion]
"""First CT, follow-up, liver, tumour, points of the liver, and where a point of the follow-up was in the first CT."""


def motion(centre: np.ndarray, seed: int) -> Motion:
    """Draw a turn up to 4° an axis, a shift up to 18 mm, and a bend of several mm."""
    rng = np.random.default_rng(seed)
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.deg2rad(rng.uniform(-4, 4, 3)).tolist())
    matrix = np.array(turn.GetMatrix()).reshape(3, 3)
    shift = rng.uniform(-8, 8, 3) + np.array([0, 0, 10]) * rng.choice([-1, 1])
    wave, height, p = rng.uniform(120, 170), rng.uniform(4, 8), rng.uniform(0, 2 * np.pi, 6)

    def moved(points: np.ndarray) -> np.ndarray:
        q = (points - centre) / wave * 2 * np.pi
        bend = np.stack([np.sin(q[..., (k + 1) % 3] + p[k]) * np.cos(0.7 * q[..., k - 1] + p[k + 3]) for k in range(3)])
        return (points + height * np.moveaxis(bend, 0, -1) - centre) @ matrix.T + centre + shift

    return moved


def warped(image: sitk.Image, moved: Motion, interpolator: int = sitk.sitkLinear, beyond: float = -1000) -> np.ndarray:
    """Return an image after the motion, on its own grid."""
    where = centres(image)
    field = sitk.GetImageFromArray(moved(where) - where, isVector=True)
    field.CopyInformation(image)
    transform = sitk.DisplacementFieldTransform(field)
    return sitk.GetArrayFromImage(sitk.Resample(image, image, transform, interpolator, beyond))


def centres(image: sitk.Image) -> np.ndarray:
    """Return the LPS positions of an image's voxels, ``(z, y, x, 3)``."""
    index = np.moveaxis(np.indices(image.GetSize()[::-1])[::-1], 0, -1)
    matrix = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    return index @ matrix.T + np.array(image.GetOrigin())


def like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    """Return an array as an image on another image's grid."""
    made = sitk.GetImageFromArray(array)
    made.CopyInformation(image)
    return made


def phantom(before: str, after: str) -> Scans:
    """Return the phantom of the importer's tests in two contrast phases."""
    path = Path(__file__).parents[1] / "engine" / "hcc_tace_seg" / "tcia.py"
    spec = importlib.util.spec_from_file_location("hcc_tace_seg_tcia", path)
    assert spec is not None and spec.loader is not None
    tcia = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = tcia
    spec.loader.exec_module(tcia)

    def image(geometry, values):
        planes = list(values.astype(np.uint8 if values.dtype == bool else np.int16))
        return assemble(planes, geometry.positions, [*geometry.row, *geometry.column], geometry.spacing)[0]

    first, second = tcia.axial(), tcia.axial(count=28)
    masks = tcia.structures(first.points())
    liver = masks["liver"] | masks["tumour"]
    pre, post = tcia.pixels(first, before), tcia.pixels(second, after, followup=True, seed=2)
    moved = tcia.moved
    return (
        *(image(first, pre), image(second, post), image(first, liver), image(first, masks["tumour"])),
        *(first.points()[liver], moved),
    )


def simulated(seed: int, before: str, after: str) -> Scans:
    """Return one simulated patient scanned in two contrast phases, half of the lesion filled with oil in between."""
    p = CohortParameters()

    def paint(phase: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        def rng(part: int) -> np.random.Generator:
            return np.random.default_rng([seed, part])

        abdomen = Abdomen(rng(0), p.anatomy, "portal", True)
        abdomen.phase = phase
        draw = rng(1)
        abdomen.hu = {name: float(draw.normal(*stat)) for name, stat in p.anatomy.hu[phase].items()}
        phenotype = draw_phenotype(rng(2), p.lesion)
        centre = place_lesion(rng(3), abdomen, phenotype)
        ct, distance = paint_abdomen(abdomen, SIMULATED, rng(4))
        return ct, *paint_lesion(ct, distance, abdomen, phenotype, centre, SIMULATED, p.lesion, rng(5))

    def scan(ct: np.ndarray, part: int) -> sitk.Image:
        noise = scanner_noise(np.random.default_rng([seed, part]), ct.shape, SIMULATED.spacing, NOISE_HU, 2.5)
        return like(np.rint(scanner_blur(ct, SIMULATED.spacing, 2.5) + noise).astype(np.int16), grid)

    grid = sitk.Image([SIMULATED.size] * 3, sitk.sitkUInt8)
    grid.SetOrigin(SIMULATED.origin)
    grid.SetSpacing([SIMULATED.spacing] * 3)
    ct, lesion, liver = paint(before)
    treated = paint(after)[0]
    treated[lesion] = np.where(
        ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=ct.shape), 3) > 0, 380, 40
    )[lesion]
    points = centres(grid)[liver | lesion]
    moved = motion(points.mean(axis=0), seed)
    post = warped(like(treated, grid), moved)
    masks = (like((liver | lesion).astype(np.uint8), grid), like(lesion.astype(np.uint8), grid))
    return scan(ct, 6), scan(post, 7), *masks, points, moved


def real(ct: sitk.Image, liver: np.ndarray, tumour: np.ndarray, other_phase: bool) -> Scans:
    """Return a real CT and itself after a motion, with oil in its tumours; no real pair has a known truth."""
    rng = np.random.default_rng(0)
    hu = sitk.GetArrayFromImage(ct).astype(np.float32)
    after = hu.copy()
    if other_phase:
        vessels = liver & (ndimage.gaussian_filter(hu, 0.7) > np.median(hu[liver & ~tumour]) + 18)
        after[liver & ~tumour] -= 38
        after[vessels] -= 24
    else:
        after[(hu > 110) & (hu < 300)] += 25
    after[tumour] += rng.uniform(0, 400, int(tumour.sum()))
    points = centres(ct)[liver]
    moved = motion(points.mean(axis=0), 1)
    post = warped(like(after, ct), moved, beyond=-1024) + rng.normal(0, NOISE_HU, hu.shape)
    masks = (like(liver.astype(np.uint8), ct), like(tumour.astype(np.uint8), ct))
    return ct, like(post.astype(np.float32), ct), *masks, points, moved


def cases(patients: int, data: Path | None) -> Iterator[tuple[str, Scans]]:
    """Yield every pair with its name."""
    for before, after in PHASES:
        yield f"phantom, {before} → {after}", phantom(before, after)
    for seed in range(1, patients + 1):
        for before, after in PHASES[:3]:
            yield f"simulated {seed}, {before} → {after}", simulated(seed, before, after)
    try:
        sample = sample_case()
    except InputError as error:
        print(error)
    else:
        masks = [sitk.GetArrayFromImage(m) > 0 for m in (sample.liver, sample.lesion)]
        yield "LiTS 117, same phase", real(sample.ct, *masks, False)
        yield "LiTS 117, arterial look", real(sample.ct, *masks, True)
    if data is not None:
        folder = data / "totalsegmentator_example"
        liver = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / "example_seg_fast_force_split.nii.gz"))) == 5
        ct = sitk.ReadImage(str(folder / "example_ct.nii.gz"))
        yield "TotalSegmentator's example, same phase", real(ct, liver, np.zeros_like(liver), False)


def main() -> None:
    """Align every pair and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=3)
    parser.add_argument("--real", type=Path)
    args = parser.parse_args()
    print("| scans | before | rigid | final | 95th percentile | CPU seconds |\n| --- | --- | --- | --- | --- | --- |")
    for name, (pre, post, liver, tumour, points, moved) in cases(args.patients, args.real):
        points = points[np.random.default_rng(0).permutation(len(points))[:POINTS]]
        start = time.process_time()
        found = align(pre, post, liver, tumour)
        seconds = time.process_time() - start
        off = []
        for transform in (sitk.Transform(3, sitk.sitkIdentity), found.rigid, found.final):
            there = np.array([transform.TransformPoint(p.tolist()) for p in points])
            off.append(np.linalg.norm(moved(there) - points, axis=1))
        means = " | ".join(f"{e.mean():.2f} mm" for e in off)
        print(f"| {name} | {means} | {np.percentile(off[2], 95):.2f} mm | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
