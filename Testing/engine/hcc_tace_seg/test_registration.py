"""The alignment against known deformations."""

import numpy as np
import pytest
import SimpleITK as sitk

from mewm.cohort.hcc_tace_seg import deformation
from mewm.cohort.hcc_tace_seg.quality import mutual_information
from mewm.cohort.hcc_tace_seg.registration import Alignment, align, align_rigidly


@pytest.fixture(scope="module")
def scanned(tcia, image):
    """First CT, follow-up after a known motion, liver, tumour, and points of the liver, by contrast phases."""

    def scan(first="portal", second="portal"):
        before, after = tcia.axial(), tcia.axial(count=28)
        masks = tcia.structures(before.points())
        liver = masks["liver"] | masks["tumour"]
        pre = image(before, tcia.pixels(before, first))
        post = image(after, tcia.pixels(after, second, followup=True, seed=2))
        return pre, post, image(before, liver), image(before, masks["tumour"]), before.points()[liver]

    return scan


@pytest.fixture(scope="module")
def scans(scanned):
    return scanned()


@pytest.fixture(scope="module")
def alignment(scans) -> Alignment:
    return align(*scans[:4])


def errors(tcia, transform, points):
    """Distance in mm between where a point comes to lie and where it truly is."""
    found = np.array([transform.TransformPoint(p.tolist()) for p in points])
    return np.linalg.norm(tcia.moved(found) - points, axis=1)


def test_error_in_the_liver_is_below_2_mm(tcia, scans, alignment):
    points = scans[4]
    assert errors(tcia, sitk.Transform(3, sitk.sitkIdentity), points).mean() > 9
    assert errors(tcia, alignment.rigid, points).mean() < 5
    assert errors(tcia, alignment.final, points).mean() < 2


@pytest.mark.parametrize("phases", [("portal", "arterial"), ("arterial", "portal")])
def test_error_in_the_liver_is_below_2_mm_in_another_contrast_phase(tcia, scanned, phases):
    pre, post, liver, tumour, points = scanned(*phases)
    found = align(pre, post, liver, tumour)
    assert found.quality.kind == "deformable" and found.quality.poor == ""
    assert errors(tcia, found.final, points).mean() < 2


def test_what_the_follow_up_does_not_show_does_not_pull(tcia, image, scans):
    """A follow-up that ends within the liver: its end must not be taken for an edge."""
    pre, post, liver, tumour, points = scans
    size = list(post.GetSize())
    part = sitk.RegionOfInterest(post, [size[0], size[1], size[2] - 9])
    found = align(pre, part, liver, tumour)
    there = np.array([found.final.TransformPoint(p.tolist()) for p in points])
    top = part.TransformIndexToPhysicalPoint([0, 0, part.GetSize()[2] - 1])[2]
    shown = there[:, 2] < top
    assert 0.7 < shown.mean() < 0.98
    assert np.linalg.norm(tcia.moved(there[shown]) - points[shown], axis=1).mean() < 2


def test_quality_figures_tell_that_it_is_good(alignment):
    quality = alignment.quality
    assert quality.kind == "deformable" and quality.poor == "" and quality.inside > 0.99
    assert quality.mutual_information["deformable"] > quality.mutual_information["rigid"] + 0.1
    assert quality.edge_match["deformable"] > quality.edge_match["rigid"] + 0.1
    assert 0.5 < quality.jacobian[0] < 1 < quality.jacobian[1] < 2
    assert 1 < quality.bend_mm < 8


def test_an_alignment_repeats_exactly(scans):
    pre, post, liver, _, _ = scans
    before = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 2):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(align_rigidly(pre, post, liver)[0].GetParameters())
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(before)
    assert found[0] == found[1]


def test_a_scan_far_off_in_space_is_found(tcia, scans):
    pre, post, liver, _, points = scans
    far = sitk.Image(post)
    shift = np.array([150.0, -80.0, 700.0])
    far.SetOrigin((np.array(post.GetOrigin()) + shift).tolist())
    rigid, _ = align_rigidly(pre, far, liver)
    there = np.array([rigid.TransformPoint(p.tolist()) for p in points]) - shift
    assert np.linalg.norm(tcia.moved(there) - points, axis=1).mean() < 5


def test_a_follow_up_of_another_part_of_the_body_is_pointed_out(tcia, image, scans, monkeypatch):
    pre, _, liver, tumour, _ = scans
    low = tcia.axial(count=20)
    low.positions = low.positions + np.array([0, 0, 40.0])
    monkeypatch.setattr(deformation, "ITERATIONS", 1)
    found = align(pre, image(low, tcia.pixels(low)), liver, tumour)
    assert found.quality.inside < 0.95 and "of the liver is in the follow-up" in found.quality.poor


def test_the_spline_as_transform_is_the_field_it_was_fitted_as(scans):
    region = align_rigidly(scans[0], scans[1], scans[2])[1]
    mesh = np.array([2, 3, 4])
    basis = deformation._basis(region.fixed, region.fixed, mesh)
    coefficients = np.random.default_rng(0).normal(0, 3, (3, *basis.shape))
    spline = deformation._transform(coefficients, region.fixed, mesh)
    field = basis.expand(coefficients)
    for index in [(0, 0, 0), (5, 7, 11), tuple(n - 1 for n in region.fixed.GetSize())]:
        point = np.array(region.fixed.TransformIndexToPhysicalPoint(index))
        moved = np.array(spline.TransformPoint(point.tolist())) - point
        assert moved == pytest.approx(field[:, index[2], index[1], index[0]][::-1], abs=1e-6)
    again = deformation._refit(spline, region.fixed, region.fixed, basis)
    assert again == pytest.approx(coefficients, abs=1e-4)


def test_the_cost_has_the_derivative_it_states():
    rng = np.random.default_rng(3)
    shape = (14, 15, 16)
    grid = sitk.Image(shape[::-1], sitk.sitkUInt8)
    grid.SetSpacing([4.0] * 3)
    basis = deformation._basis(grid, grid, np.array([2, 2, 2]))
    smooth = sitk.GetArrayFromImage(
        sitk.SmoothingRecursiveGaussian(sitk.GetImageFromArray(rng.normal(0, 300, shape)), 2.0)
    )
    everywhere = np.ones(shape, bool)
    inner = np.zeros(shape, bool)
    inner[3:-3, 3:-3, 3:-3] = True
    cost = deformation._Cost(smooth, smooth, everywhere, inner, basis, 4.0, np.zeros(3, int))
    flat = rng.normal(0, 1.5, 3 * np.prod(basis.shape))
    _, gradient = cost(flat)
    way = rng.normal(0, 1, flat.size)
    step = 1e-3
    slope = (cost(flat + step * way)[0] - cost(flat - step * way)[0]) / (2 * step)
    assert gradient @ way == pytest.approx(slope, rel=0.01)


def test_interpolation_is_exact_on_a_trilinear_image_and_knows_its_ends():
    z, y, x = np.indices((5, 6, 7)).astype(float)
    image, known = 2 * z - y + 3 * x + z * y * x, np.ones((5, 6, 7), bool)
    known[4] = False
    place = np.array([[1.25, 3.5, 2.0, 2.0], [2.5, 1.0, 5.0, 2.0], [4.75, 1.0, 6.0, 6.1]])
    values, slopes, inside = deformation._interpolate(image, known, place)
    assert inside.tolist() == [True, False, True, False]
    z, y, x = place[:, 0]
    assert values[0] == pytest.approx(2 * z - y + 3 * x + z * y * x)
    assert slopes[:, 0] == pytest.approx([2 + y * x, -1 + z * x, 3 + z * y])
    assert values[2] == pytest.approx(2 * 2 - 5 + 18 + 60)


def test_mutual_information_of_independent_and_equal_samples():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, 20000).astype(float), rng.integers(0, 4, 20000).astype(float)
    assert mutual_information(a, a) == pytest.approx(np.log(4), abs=0.01)
    assert mutual_information(a, b) == pytest.approx(0, abs=0.01)
